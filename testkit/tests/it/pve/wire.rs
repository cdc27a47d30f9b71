//! What the server does below the API, by raw bytes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;
use testkit::node::NodeOptions;
use testkit::pve::Setup;

use super::client::{Connection, ask, ask_as, node, request};

#[test]
fn errors_carry_their_text_in_the_reason_and_end_the_connection() {
    let (_runtime, node) = node(NodeOptions::default());
    let answer = ask(&node, "GET", "/nodes/pve1/lxc/100/config", "");
    assert_eq!(
        (answer.status, answer.reason.as_str()),
        (
            500,
            "Configuration file 'nodes/pve1/lxc/100.conf' does not exist"
        )
    );
    assert_eq!(
        answer.header("content-type"),
        Some("application/json;charset=UTF-8")
    );
    assert_eq!(answer.header("server"), Some("pve-api-daemon/3.0"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(answer.json()["message"], format!("{}\n", answer.reason));

    let mut connection = Connection::open(node.url());
    connection.send(&request("", "GET", "/version", ""));
    let answer = connection.receive().unwrap();
    assert_eq!(
        (answer.status, answer.reason.as_str(), answer.body.len()),
        (401, "No ticket", 0)
    );
    assert_eq!(answer.header("content-type"), None);
    assert!(connection.ends_within(Duration::from_secs(60)));
}

#[test]
fn the_http_layer_refuses_what_the_real_one_refuses() {
    let (_runtime, node) = node(NodeOptions::default());
    let token = format!("Authorization: PVEAPIToken={}\r\n", node.root_token());
    for (headers, method, body, status, reason) in [
        (
            "Transfer-Encoding: chunked\r\n",
            "POST",
            "",
            501,
            "chunked transfer encoding not supported",
        ),
        (
            "Content-Length: 524289\r\n",
            "POST",
            "",
            501,
            "for data too large",
        ),
        (
            "Content-Type: text/plain\r\n",
            "POST",
            "a=1",
            506,
            "upload 'Content-Type 'text/plain' not implemented",
        ),
        (
            "",
            "DELETE",
            "a=1",
            501,
            "Unexpected content for method 'DELETE'",
        ),
        ("", "PATCH", "", 501, "method 'PATCH' not available"),
    ] {
        let answer = ask_as(&node, &format!("{token}{headers}"), method, "/pools", body);
        assert_eq!((answer.status, answer.reason.as_str()), (status, reason));
    }
}

#[test]
fn too_many_or_too_long_headers_get_no_answer() {
    let (_runtime, node) = node(NodeOptions::default());
    let many: String = (0..70).map(|n| format!("X-{n}: y\r\n")).collect();
    for headers in [many, format!("X: {}\r\n", "y".repeat(9000))] {
        let mut connection = Connection::open(node.url());
        connection.send(&request(&headers, "GET", "/version", ""));
        assert!(connection.receive().is_err());
    }
    // The request line is not counted.
    let query = format!("/version?x={}", "y".repeat(60_000));
    assert_eq!(ask(&node, "GET", &query, "").status, 400);
}

#[test]
fn plain_http_is_sent_on() {
    let (_runtime, node) = node(NodeOptions::default());
    let address = node.url().trim_start_matches("https://");
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(format!("GET /x HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes())
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(
        text.starts_with("HTTP/1.1 301 Moved Permanently\r\n"),
        "{text}"
    );
    assert!(
        text.contains(&format!("Location: https://{address}/x\r\n")),
        "{text}"
    );
}

#[test]
fn a_connection_ends_after_a_hundred_requests_or_five_idle_seconds() {
    let (_runtime, node) = node(NodeOptions::default());
    let token = format!("Authorization: PVEAPIToken={}\r\n", node.root_token());
    let mut connection = Connection::open(node.url());
    for count in 1..=100 {
        connection.send(&request(&token, "GET", "/version", ""));
        let answer = connection.receive().unwrap();
        let expected = if count == 100 { "close" } else { "Keep-Alive" };
        assert_eq!(
            answer.header("connection"),
            Some(expected),
            "request {count}"
        );
    }
    let mut idle = Connection::open(node.url());
    // From before its last answer, so that a pause of ours makes it longer at most.
    let began = Instant::now();
    idle.send(&request(&token, "GET", "/version", ""));
    idle.receive().unwrap();
    assert!(idle.ends_within(Duration::from_secs(60)));
    assert!(
        began.elapsed() >= Duration::from_secs(4),
        "ended after {:?}",
        began.elapsed()
    );
}

#[test]
fn large_answers_are_compressed_for_whoever_takes_that() {
    let (_runtime, node) = node(NodeOptions::default());
    let token = format!("Authorization: PVEAPIToken={}\r\n", node.root_token());
    let plain = ask(&node, "GET", "/access/roles", "");
    let packed = ask_as(
        &node,
        &format!("{token}Accept-Encoding: gzip, deflate\r\n"),
        "GET",
        "/access/roles",
        "",
    );
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.body.as_slice())
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, plain.text());
    let small = ask_as(
        &node,
        &format!("{token}Accept-Encoding: gzip\r\n"),
        "GET",
        "/version",
        "",
    );
    assert_eq!(small.header("content-encoding"), None);
}

#[test]
fn an_upload_becomes_a_template_that_the_next_node_of_the_folder_knows() {
    let data = tempfile::tempdir().unwrap();
    let options = || NodeOptions {
        data: Some(data.path().to_owned()),
        ..NodeOptions::default()
    };
    let (runtime, first) = node(options());
    let body = "--b\r\nContent-Disposition: form-data; name=\"content\"\r\n\r\nvztmpl\r\n--b\r\nContent-Disposition: form-data; \
                name=\"filename\"; filename=\"own.tar.zst\"\r\n\r\nbytes\r\n--b--\r\n";
    let headers = format!(
        "Authorization: PVEAPIToken={}\r\nContent-Type: multipart/form-data; boundary=b\r\n",
        first.root_token()
    );
    let answer = ask_as(
        &first,
        &headers,
        "POST",
        "/nodes/pve1/storage/local/upload",
        body,
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
    runtime.block_on(first.stop()).unwrap();
    assert_eq!(
        std::fs::read(data.path().join("storage/template/cache/own.tar.zst")).unwrap(),
        b"bytes"
    );

    let (_runtime, second) = node(options());
    let list = ask(
        &second,
        "GET",
        "/nodes/pve1/storage/local/content?content=vztmpl",
        "",
    );
    assert!(
        list.text().contains("local:vztmpl/own.tar.zst"),
        "{}",
        list.text()
    );
}

#[test]
fn a_ticket_needs_a_csrf_token_and_ends_after_two_hours() {
    let (_runtime, node) = node(NodeOptions::default());
    let body = format!("username=root@pam&password={}", node.root_password());
    let login = ask_as(&node, "", "POST", "/access/ticket", &body).json();
    let ticket = login["data"]["ticket"].as_str().unwrap().to_owned();
    let cookie = format!("Cookie: PVEAuthCookie={ticket}\r\n");
    assert_eq!(ask_as(&node, &cookie, "GET", "/version", "").status, 200);
    assert_eq!(
        ask_as(&node, &cookie, "POST", "/pools", "poolid=a").reason,
        "Permission denied - invalid csrf token"
    );
    let csrf = format!(
        "{cookie}CSRFPreventionToken: {}\r\n",
        login["data"]["CSRFPreventionToken"].as_str().unwrap()
    );
    assert_eq!(
        ask_as(&node, &csrf, "POST", "/pools", "poolid=a").status,
        200
    );

    let skip = |minutes: u64| {
        node.desk()
            .world()
            .skip(minutes * 60_000, testkit::pve::Moment::now())
    };
    skip(119);
    assert_eq!(ask_as(&node, &cookie, "GET", "/version", "").status, 200);
    let renewal = format!(
        "username=root@pam&password={}",
        ticket.replace('+', "%2B").replace('=', "%3D")
    );
    assert_eq!(
        ask_as(&node, "", "POST", "/access/ticket", &renewal).status,
        200
    );
    skip(2);
    assert_eq!(ask_as(&node, &cookie, "GET", "/version", "").status, 401);
}

#[test]
fn a_refusal_takes_three_seconds_where_that_is_wanted() {
    let setup = Setup {
        slow_refusals: true,
        ..Setup::default()
    };
    let (_runtime, node) = node(NodeOptions {
        setup,
        ..NodeOptions::default()
    });
    let began = Instant::now();
    assert_eq!(ask_as(&node, "", "GET", "/version", "").status, 401);
    assert!(began.elapsed() >= Duration::from_millis(2900));
}

#[test]
fn the_ready_file_is_for_its_owner_alone_and_says_how_to_reach_the_node() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ready.json");
    let (runtime, node) = node(NodeOptions {
        ready_file: Some(path.clone()),
        ..NodeOptions::default()
    });
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let ready: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(ready["urls"], json!(node.urls()));
    assert_eq!(ready["fingerprint"], node.fingerprint());
    assert_eq!(ready["root_token"], node.root_token());
    assert!(
        std::fs::read_to_string(ready["ca_file"].as_str().unwrap())
            .unwrap()
            .contains("BEGIN CERTIFICATE")
    );
    assert!(ready.get("sim_url").is_none());
    runtime.block_on(node.stop()).unwrap();
    assert!(!path.exists());
}
