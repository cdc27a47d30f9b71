//! Timeouts, broken connections, and what is sent again.

use std::time::Duration;

use proxmox_api::api::{Container, UpdateContainer};
use proxmox_api::{Client, Delivery, ErrorKind, Method, RetryPolicy};
use serde_json::{Value, json};

use crate::script::{Reply, Server, nobody, quick};

const VERSION: &str = r#"{"version":"8.4.21","release":"8.4","repoid":"abc"}"#;
const UPID: &str = r#""UPID:pve1:000063DD:0002E881:6B034DF4:vzstart:105:root@pam:""#;

fn container(client: &Client) -> Container {
    client
        .node("pve1".parse().unwrap())
        .container(105.try_into().unwrap())
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let server = Server::always(|| Reply::data(VERSION)).await;
    let client = server.client();
    for _ in 0..3 {
        assert_eq!(client.version().await.unwrap().release, "8.4");
    }
    assert!(server.seen().iter().all(|seen| seen.connection == 1));
}

#[tokio::test]
async fn reading_is_repeated_when_the_connection_breaks() {
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"data\"";
    let server = Server::plain(|_, before| match before {
        0 => Reply::Close,
        1 => Reply::Bytes(cut.to_vec()),
        _ => Reply::data(VERSION),
    })
    .await;
    assert_eq!(server.client().version().await.unwrap().version, "8.4.21");
    assert_eq!(server.calls().len(), 3);
}

#[tokio::test]
async fn a_change_that_may_have_been_made_is_not_made_twice() {
    let server = Server::always(|| Reply::Close).await;
    let error = container(&server.client()).start().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.delivery()),
        (ErrorKind::Interrupted, Delivery::Unknown)
    );
    assert!(!error.is_retryable());
    assert_eq!(
        server.calls(),
        ["POST /api2/json/nodes/pve1/lxc/105/status/start"]
    );
    assert_eq!(error.operation(), "starting container `105` on node `pve1`");
    assert_eq!(error.subject(), "POST /nodes/pve1/lxc/105/status/start");
}

#[tokio::test]
async fn a_change_on_a_connection_that_died_while_idle_is_not_made_twice() {
    let server = Server::plain(|seen, _| {
        if seen.call.starts_with("GET") {
            Reply::data(VERSION)
        } else {
            Reply::Close
        }
    })
    .await;
    let client = server.client();
    client.version().await.unwrap();
    let error = container(&client).stop().await.unwrap_err();
    assert_eq!(error.delivery(), Delivery::Unknown);
    assert_eq!(server.calls().len(), 2);
}

#[tokio::test]
async fn a_change_that_was_refused_for_a_lock_is_made_later() {
    let server = Server::plain(|_, before| match before {
        0 => Reply::error(
            500,
            "can't lock file '/run/lock/lxc/pve-config-105.lock' - got timeout",
        ),
        1 => Reply::error(500, "cluster not ready - no quorum?"),
        _ => Reply::data("null"),
    })
    .await;
    container(&server.client())
        .update(&UpdateContainer::new().onboot(true))
        .await
        .unwrap();
    assert_eq!(server.calls().len(), 3);
}

#[tokio::test]
async fn attempts_are_bounded_and_the_last_cause_is_told() {
    let server = Server::always(|| Reply::error(500, "CT is locked (backup)")).await;
    let error = container(&server.client()).config().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.status()),
        (ErrorKind::Locked, Some(500))
    );
    assert!(
        error.to_string().contains("CT is locked (backup)"),
        "{error}"
    );
    assert_eq!(server.calls().len(), 3);
}

#[tokio::test]
async fn nobody_there_means_not_sent() {
    let client = Client::builder(format!("http://{}", nobody()))
        .retry(quick())
        .build()
        .unwrap();
    let error = container(&client).start().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.delivery()),
        (ErrorKind::Unreachable, Delivery::NotSent)
    );
    assert!(error.is_retryable());
}

#[tokio::test]
async fn the_next_address_is_used_when_one_is_dead() {
    let server = Server::always(|| Reply::data(UPID)).await;
    let client = Client::builder(format!("http://{}", nobody()))
        .or_at(format!("http://{}", server.address))
        .retry(quick())
        .build()
        .unwrap();
    container(&client).start().await.unwrap();
    container(&client).stop().await.unwrap();
    assert_eq!(server.calls().len(), 2);
}

#[tokio::test]
async fn a_node_that_cannot_reach_another_one_is_asked_again_or_left() {
    let server = Server::plain(|_, before| match before {
        0 => Reply::reason(595, "No route to host"),
        _ => Reply::data(UPID),
    })
    .await;
    container(&server.client()).start().await.unwrap();
    assert_eq!(server.calls().len(), 2);
}

#[tokio::test]
async fn a_silent_server_is_left_in_time() {
    let server = Server::always(|| Reply::Stall).await;
    let client = server.builder().answer_timeout(Duration::from_millis(50));
    let client = client.retry(RetryPolicy::never()).build().unwrap();
    let error = client.version().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.delivery()),
        (ErrorKind::TimedOut, Delivery::Unknown)
    );
}

#[tokio::test]
async fn a_body_above_the_cap_is_not_read() {
    let server = Server::always(|| Reply::data(&format!("\"{}\"", "x".repeat(5000)))).await;
    let client = server.builder().answer_bytes_max(4096).build().unwrap();
    let error = client.version().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("4096 bytes"), "{error}");
}

#[tokio::test]
async fn redirects_are_answers_not_detours() {
    let moved = b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    let server = Server::always(|| Reply::Bytes(moved.to_vec())).await;
    let error = server.client().version().await.unwrap_err();
    assert_eq!(error.status(), Some(301));
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn the_reason_phrase_is_read_when_the_body_is_empty() {
    let server = Server::plain(|_, before| match before {
        0 => Reply::reason(401, "No ticket"),
        _ => Reply::reason(596, "certificate verify failed"),
    })
    .await;
    let client = server
        .builder()
        .retry(RetryPolicy::never())
        .build()
        .unwrap();
    let error = client.version().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.server_message()),
        (ErrorKind::Unauthorized, Some("No ticket"))
    );
    let error = client.version().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.delivery()),
        (ErrorKind::Gateway, Delivery::Unknown)
    );
    assert_eq!(
        error.to_string(),
        "reading the server's version: certificate verify failed (596)"
    );
}

#[tokio::test]
async fn anything_can_be_called() {
    let server = Server::always(|| Reply::data(r#"[{"zone":"z1"}]"#)).await;
    let client = server.client();
    let pending = json!({"pending": true});
    let zones: Value = client
        .call(Method::Get, "/cluster/sdn/zones", &pending)
        .await
        .unwrap();
    assert_eq!(zones[0]["zone"], "z1");
    let zone = json!({"zone": "z;2", "nodes": ["a", "b"], "type": "simple"});
    client
        .call::<Value>(Method::Put, "/cluster/sdn", &())
        .await
        .unwrap();
    client
        .call::<Value>(Method::Post, "/cluster/sdn/zones", &zone)
        .await
        .unwrap();
    let lock = json!({"lock": 1});
    client
        .call::<Value>(Method::Delete, "/cluster/sdn/zones/z1", &lock)
        .await
        .unwrap();
    let seen = server.seen();
    assert_eq!(
        server.calls(),
        [
            "GET /api2/json/cluster/sdn/zones?pending=1",
            "PUT /api2/json/cluster/sdn",
            "POST /api2/json/cluster/sdn/zones",
            "DELETE /api2/json/cluster/sdn/zones/z1?lock=1"
        ]
    );
    assert_eq!(seen[2].form(), "zone=z%3B2&nodes=a&nodes=b&type=simple");
    assert!(seen[0].body.is_empty() && seen[3].body.is_empty());
    assert_eq!(seen[3].header("content-length"), None);
    let error = client
        .call::<Value>(Method::Get, "cluster", &())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.delivery()),
        (ErrorKind::Unusable, Delivery::NotSent)
    );
}

#[tokio::test]
async fn requests_are_what_the_server_takes() {
    let server = Server::always(|| Reply::data(VERSION)).await;
    server.client().version().await.unwrap();
    let seen = &server.seen()[0];
    assert!(seen.head.starts_with("GET /api2/json/version HTTP/1.1\r\n"));
    assert_eq!(
        seen.header("authorization"),
        Some("PVEAPIToken=root@pam!ci=canary")
    );
    assert_eq!(seen.header("transfer-encoding"), None);
    assert!(
        seen.header("user-agent")
            .unwrap()
            .starts_with("proxmox-api/")
    );
}

#[tokio::test]
async fn a_client_travels_between_threads() {
    let server = Server::always(|| Reply::data(VERSION)).await;
    let client = server.client();
    tokio::spawn(async move { client.version().await.map(|_| ()) })
        .await
        .unwrap()
        .unwrap();
}
