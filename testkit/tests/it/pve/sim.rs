//! Faults, clock, snapshots and journal through the control calls.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::node::{Node, NodeOptions};

use super::client::{Connection, ask, ask_as, node, request};

fn simulated() -> (tokio::runtime::Runtime, Node) {
    let address = "127.0.0.1:0".parse().unwrap();
    node(NodeOptions {
        sim: Some(address),
        ..NodeOptions::default()
    })
}

/// One control call: status and JSON.
fn control(node: &Node, method: &str, what: &str, body: &Value) -> (u16, Value) {
    let (url, token) = node.sim().unwrap();
    control_as(url, token, method, what, body)
}

fn control_as(url: &str, token: &str, method: &str, what: &str, body: &Value) -> (u16, Value) {
    let address = url.trim_start_matches("http://").trim_end_matches("/_sim");
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "{method} /_sim/{what} HTTP/1.1\r\nHost: sim\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n"
    );
    stream
        .write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes())
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    (status, serde_json::from_str(body).unwrap())
}

/// A plain request to the control listener, as a browser sends it: the whole answer.
fn browse(node: &Node, target: &str) -> String {
    let (url, _) = node.sim().unwrap();
    let address = url.trim_start_matches("http://").trim_end_matches("/_sim");
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn the_page_opens_with_the_token_alone_and_lets_nothing_in() {
    let (_runtime, node) = simulated();
    let page = node.page().unwrap();
    let token = page.split_once("/?").unwrap().1;
    let whole = browse(&node, &format!("/?{token}"));
    assert!(whole.starts_with("HTTP/1.1 200"), "{whole}");
    let policy = "content-security-policy: default-src 'none'; script-src 'self';";
    assert!(
        whole.contains(policy) && whole.contains("no-referrer"),
        "{whole}"
    );
    assert!(
        !whole.contains(&token["token=".len()..]),
        "the page does not hold its token"
    );
    for target in ["/", "/?token=", "/?token=00", &format!("/?x{token}")] {
        let refused = browse(&node, target);
        assert!(refused.starts_with("HTTP/1.1 401"), "{target}: {refused}");
        assert!(refused.contains("needs its token"), "{target}: {refused}");
    }
    for target in ["/page.css", "/page.js"] {
        let own = browse(&node, target);
        assert!(
            own.starts_with("HTTP/1.1 200") && own.contains("nosniff"),
            "{own}"
        );
    }
    assert!(browse(&node, &format!("/_sim/state?{token}")).starts_with("HTTP/1.1 401"));
}

#[test]
fn the_overview_tells_guests_tasks_and_exchanges_without_secrets() {
    let (_runtime, node) = simulated();
    control(&node, "PUT", "tasks", &json!({"timing": "instant"}));
    let form = "vmid=120&ostemplate=local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst&hostname=shop\
                &memory=1024&cores=2&rootfs=local:4&tags=web&net0=name%3Deth0,bridge%3Dvmbr0,ip%3D10.0.0.9/24&password=open-sesame";
    let created = ask(&node, "POST", "/nodes/pve1/lxc", form);
    assert_eq!(created.status, 200, "{}", created.text());
    let (status, overview) = control(&node, "GET", "overview", &Value::Null);
    assert_eq!(status, 200);
    let guest = &overview["guests"][0];
    assert_eq!(guest["name"], "shop");
    assert_eq!(guest["address"], "10.0.0.9/24");
    assert_eq!(guest["tags"], json!(["web"]));
    assert_eq!(overview["tasks"][0]["kind"], "vzcreate");
    let last = overview["exchanges"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["method"], &last["number"]),
        (&json!("POST"), &overview["seen"])
    );
    let text = overview.to_string();
    let token = node.root_token();
    let secret = token.split('=').nth(1).unwrap();
    assert!(
        !text.contains("open-sesame") && !text.contains(secret),
        "{text}"
    );
    control(&node, "DELETE", "journal", &Value::Null);
    assert_eq!(control(&node, "GET", "overview", &Value::Null).1["seen"], 0);
}

fn rule(node: &Node, rule: &Value) {
    let (status, answer) = control(node, "POST", "faults", rule);
    assert_eq!(status, 200, "{answer}");
}

#[test]
fn without_the_flag_there_are_no_control_calls() {
    let (_runtime, node) = node(NodeOptions::default());
    let mut connection = Connection::open(node.url());
    connection.send("GET /_sim/faults HTTP/1.1\r\nHost: node\r\n\r\n");
    assert_eq!(connection.receive().unwrap().status, 501);
    assert_eq!(node.sim(), None);
}

#[test]
fn control_calls_need_the_token_and_are_not_on_the_api() {
    let (_runtime, node) = simulated();
    let (url, _) = node.sim().unwrap();
    assert_eq!(
        control_as(url, "wrong", "GET", "faults", &Value::Null).0,
        401
    );
    assert_eq!(control(&node, "GET", "nothing", &Value::Null).0, 404);
    assert_eq!(ask(&node, "GET", "/../_sim/faults", "").status, 501);
}

#[test]
fn a_fault_before_changes_nothing_and_one_after_loses_only_the_answer() {
    let (_runtime, node) = simulated();
    rule(
        &node,
        &json!({"method": "POST", "path": "/pools", "nth": 1, "kind": "status", "status": 500, "message": "no luck"}),
    );
    rule(
        &node,
        &json!({"method": "POST", "path": "/pools", "nth": 1, "kind": "reset", "phase": "after"}),
    );
    let answer = ask(&node, "POST", "/pools", "poolid=a");
    assert_eq!((answer.status, answer.reason.as_str()), (500, "no luck"));
    assert_eq!(ask(&node, "GET", "/pools", "").json()["data"], json!([]));

    let mut connection = Connection::open(node.url());
    let token = format!("Authorization: PVEAPIToken={}\r\n", node.root_token());
    connection.send(&request(&token, "POST", "/pools", "poolid=b"));
    assert!(connection.receive().is_err());
    assert_eq!(
        ask(&node, "GET", "/pools", "").json()["data"],
        json!([{"poolid": "b"}])
    );
}

#[test]
fn answers_can_be_cut_delayed_or_proxy_errors() {
    let (_runtime, node) = simulated();
    rule(
        &node,
        &json!({"path": "/version", "times": 1, "kind": "truncate", "bytes": 5}),
    );
    let mut connection = Connection::open(node.url());
    let token = format!("Authorization: PVEAPIToken={}\r\n", node.root_token());
    connection.send(&request(&token, "GET", "/version", ""));
    assert!(connection.receive().is_err());
    rule(
        &node,
        &json!({"path": "/version", "times": 1, "kind": "status", "status": 595, "message": "Connection refused"}),
    );
    let answer = ask(&node, "GET", "/version", "");
    assert_eq!(
        (answer.status, answer.reason.as_str(), answer.body.len()),
        (595, "Connection refused", 0)
    );
    rule(
        &node,
        &json!({"path": "/version", "times": 1, "kind": "delay", "millis": 300}),
    );
    let began = std::time::Instant::now();
    assert_eq!(ask(&node, "GET", "/version", "").status, 200);
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!(control(&node, "DELETE", "faults", &Value::Null).0, 200);
    assert_eq!(control(&node, "GET", "faults", &Value::Null).1, json!([]));
}

#[test]
fn tasks_can_end_on_the_nth_poll_and_time_can_stand_still() {
    let (_runtime, node) = simulated();
    assert_eq!(
        control(&node, "PUT", "tasks", &json!({"timing": {"polls": 3}})).0,
        200
    );
    let form =
        "vmid=100&ostemplate=local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst&rootfs=local:1";
    let upid = ask(&node, "POST", "/nodes/pve1/lxc", form).json()["data"]
        .as_str()
        .unwrap()
        .to_owned();
    let status = || {
        ask(
            &node,
            "GET",
            &format!("/nodes/pve1/tasks/{upid}/status"),
            "",
        )
        .json()["data"]["status"]
            .clone()
    };
    assert_eq!(
        [status(), status(), status()],
        ["running", "running", "stopped"]
    );

    let (_, clock) = control(&node, "PUT", "clock", &json!({"freeze": true}));
    let (_, later) = control(&node, "PUT", "clock", &json!({"advance": 60_000}));
    assert_eq!(
        later["now"].as_u64().unwrap() - clock["now"].as_u64().unwrap(),
        60_000
    );
    assert_eq!(later["frozen"], true);
}

#[test]
fn a_snapshot_brings_a_world_back() {
    let (_runtime, node) = simulated();
    ask(&node, "POST", "/pools", "poolid=kept");
    let (_, state) = control(&node, "GET", "state", &Value::Null);
    ask(&node, "DELETE", "/pools/kept", "");
    assert_eq!(control(&node, "PUT", "state", &state).0, 200);
    assert_eq!(
        ask(&node, "GET", "/pools", "").json()["data"],
        json!([{"poolid": "kept"}])
    );
}

#[test]
fn the_journal_shows_exchanges_without_secrets() {
    let (_runtime, node) = simulated();
    let body = format!("username=root@pam&password={}", node.root_password());
    assert_eq!(
        ask_as(&node, "", "POST", "/access/ticket", &body).status,
        200
    );
    ask(
        &node,
        "POST",
        "/access/users/root@pam/token/tk",
        "privsep=0",
    );
    let (_, journal) = control(&node, "GET", "journal", &Value::Null);
    assert_eq!(journal[0]["path"], "/api2/json/access/ticket");
    assert_eq!(
        journal[0]["form"],
        json!({"username": "root@pam", "password": "[redacted]"})
    );
    assert_eq!(journal[1]["response"]["data"]["value"], "[redacted]");
    assert!(!journal.to_string().contains(node.root_password()));
}
