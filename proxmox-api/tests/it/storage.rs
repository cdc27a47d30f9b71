//! Storages: what is on them, uploads, downloads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use proxmox_api::api::{Checksum, ContentType, DownloadUrl, ListContent, Storage, Upload};
use proxmox_api::{Client, Delivery, ErrorKind};

use crate::script::{Reply, Server};

const UPID: &str = r#""UPID:pve1:000063DD:0002E881:6B034DF4:imgcopy::root@pam!ci:""#;

fn of(client: &Client) -> Storage {
    client
        .node("pve1".parse().unwrap())
        .storage("local".parse().unwrap())
}

fn storage(server: &Server) -> Storage {
    of(&server.client())
}

/// Names of the parts of a multipart body, in order, and the content of the last one.
fn parts(body: &[u8]) -> (Vec<String>, String) {
    let text = String::from_utf8_lossy(body).into_owned();
    let names = text.split("Content-Disposition: form-data; ").skip(1);
    let names = names
        .map(|part| part.lines().next().unwrap().to_owned())
        .collect();
    let last = text.rsplit("octet-stream\r\n\r\n").next().unwrap();
    (names, last.split("\r\n--").next().unwrap().to_owned())
}

#[tokio::test]
async fn an_upload_has_its_fields_in_the_only_order_that_works() {
    let server = Server::always(|| Reply::data(UPID)).await;
    let upload = Upload::bytes(ContentType::Template, "a.tar.zst", "golden\n")
        .checksum(Checksum::Sha256("AB".repeat(32)));
    let task = storage(&server).upload(upload).await.unwrap();
    assert_eq!(task.upid().kind(), "imgcopy");
    let seen = &server.seen()[0];
    assert_eq!(seen.call, "POST /api2/json/nodes/pve1/storage/local/upload");
    let (names, file) = parts(&seen.body);
    assert_eq!(
        names,
        [
            "name=\"content\"",
            "name=\"checksum-algorithm\"",
            "name=\"checksum\"",
            "name=\"filename\"; filename=\"a.tar.zst\""
        ]
    );
    assert_eq!(file, "golden\n");
    assert!(seen.form().contains(&"ab".repeat(32)));
    assert_eq!(seen.header("transfer-encoding"), None);
    assert!(
        !seen.header("content-type").unwrap().contains('"'),
        "a quoted boundary is not read"
    );
}

#[tokio::test]
async fn a_file_is_streamed_from_its_path_and_its_progress_told() {
    let server = Server::always(|| Reply::data(UPID)).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("big.iso");
    std::fs::write(&path, vec![b'x'; 300_000]).unwrap();
    let sent = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&sent);
    let upload = Upload::path(ContentType::Iso, &path)
        .on_progress(move |total| counter.store(total, Ordering::SeqCst));
    storage(&server).upload(upload).await.unwrap();
    assert_eq!(sent.load(Ordering::SeqCst), 300_000);
    let (names, file) = parts(&server.seen()[0].body);
    assert_eq!(names[1], "name=\"filename\"; filename=\"big.iso\"");
    assert_eq!(file.len(), 300_000);
}

#[tokio::test]
async fn a_stream_of_known_length_is_uploaded() {
    let server = Server::always(|| Reply::data(UPID)).await;
    let chunks = ["gol", "den"].map(|chunk| Ok(Bytes::from(chunk)));
    let upload = Upload::stream(ContentType::Iso, "a.iso", 6, stream::iter(chunks));
    storage(&server).upload(upload).await.unwrap();
    assert_eq!(parts(&server.seen()[0].body).1, "golden");
}

#[tokio::test]
async fn what_cannot_be_uploaded_is_said_before_anything_is_sent() {
    let server = Server::always(|| Reply::data(UPID)).await;
    for upload in [
        Upload::path(ContentType::Iso, "/nowhere/a.iso"),
        Upload::path(ContentType::Iso, "/"),
        Upload::bytes(ContentType::Iso, "ä.iso", "x"),
    ] {
        let error = storage(&server).upload(upload).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.delivery()),
            (ErrorKind::Unusable, Delivery::NotSent)
        );
    }
    assert!(server.calls().is_empty());
}

#[tokio::test]
async fn an_upload_that_moves_nothing_is_given_up() {
    let server = Server::always(|| Reply::Stall).await;
    let client = server
        .builder()
        .answer_timeout(Duration::from_millis(50))
        .build()
        .unwrap();
    let upload = Upload::bytes(ContentType::Iso, "a.iso", "x");
    let error = of(&client).upload(upload).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.delivery()),
        (ErrorKind::TimedOut, Delivery::Unknown)
    );
}

#[tokio::test]
async fn content_is_listed_and_found() {
    let list = r#"[{"content":"vztmpl","ctime":1795000000,"format":"tzst","size":7,
        "volid":"local:vztmpl/a.tar.zst"},
        {"content":"rootdir","ctime":1795000000,"format":"raw","parent":null,"size":1073741824,
        "used":4096,"vmid":9126,"volid":"local:9126/vm-9126-disk-0.raw"}]"#;
    let server = Server::always(|| Reply::data(list)).await;
    let storage = storage(&server);
    let there = storage
        .find_volume(&"local:vztmpl/a.tar.zst".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(there.unwrap().size, Some(7));
    let absent = storage
        .find_volume(&"local:vztmpl/b.tar.zst".parse().unwrap())
        .await
        .unwrap();
    assert!(absent.is_none());
    let asked = ListContent::of(ContentType::Template).owned_by(105.try_into().unwrap());
    storage.list_content(&asked).await.unwrap();
    assert!(server.calls()[2].ends_with("/content?content=vztmpl&vmid=105"));
}

#[tokio::test]
async fn a_volume_is_deleted_at_once_or_by_a_task() {
    let server =
        Server::plain(|_, before| Reply::data(if before == 0 { "null" } else { UPID })).await;
    let (storage, volume) = (storage(&server), "local:iso/a b.iso".parse().unwrap());
    assert!(storage.delete_volume(&volume).await.unwrap().is_none());
    assert!(storage.delete_volume(&volume).await.unwrap().is_some());
    let path = "/api2/json/nodes/pve1/storage/local/content/local%3Aiso%2Fa%20b.iso";
    assert_eq!(server.calls()[0], format!("DELETE {path}"));
}

#[tokio::test]
async fn a_download_of_an_existing_file_is_told_apart() {
    let exists = "refusing to override existing file '/x/a.tar.zst'";
    let server = Server::always(|| Reply::error(500, exists)).await;
    let url = "https://example.test/a.tar.zst";
    let download = DownloadUrl::new(ContentType::Template, "a.tar.zst", url)
        .checksum(Checksum::Sha512("00".repeat(64)));
    let error = storage(&server).download_url(&download).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    let form = server.seen()[0].form();
    let sent = "url=https%3A%2F%2Fexample.test%2Fa.tar.zst&checksum-algorithm=sha512";
    assert!(form.contains(sent), "{form}");
}

#[tokio::test]
async fn a_missing_storage_is_not_found() {
    let server = Server::always(|| Reply::refused("storage", "No such storage.")).await;
    let error = storage(&server).status().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
