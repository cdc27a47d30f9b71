//! Deliveries over TLS: to receivers that the operating system trusts, and to no others.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::durability::serve_with;
use super::stage::http;

/// How long a delivery may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A receiver whose certificate signs itself, and that certificate.
fn receiver() -> (TlsAcceptor, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}

/// What comes over the next connection; `None` when no TLS comes about.
async fn heard(listener: &TcpListener, acceptor: &TlsAcceptor) -> Option<String> {
    let (stream, _) = listener.accept().await.unwrap();
    let mut stream = acceptor.accept(stream).await.ok()?;
    let mut text = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let read = stream.read(&mut piece).await.unwrap();
        text.extend_from_slice(&piece[..read]);
        let seen = String::from_utf8_lossy(&text);
        let head = seen.split_once("\r\n\r\n");
        let length = head.and_then(|(head, _)| {
            let line = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            line?.parse::<usize>().ok()
        });
        if read == 0
            || head
                .zip(length)
                .is_some_and(|((_, body), length)| body.len() >= length)
        {
            break;
        }
    }
    let answered = stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        .await;
    answered.unwrap();
    stream.flush().await.unwrap();
    Some(String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_goes_to_receivers_whose_certificate_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let (known, pem) = receiver();
    let (unknown, _) = receiver();
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, pem).unwrap();
    let (mut child, ready) = serve_with(folder.path(), &[("SSL_CERT_FILE", &roots)]);
    let (caller, token) = (http(), format!("token {}", ready.root_token));
    let send = |path: &str, body: serde_json::Value| {
        let call = caller.post(format!("{}/api/v1{path}", ready.url));
        call.header("authorization", &token).json(&body).send()
    };
    assert_eq!(
        send("/user/repos", json!({ "name": "r", "auto_init": true }))
            .await
            .unwrap()
            .status(),
        201
    );
    for (acceptor, trusted) in [(known, true), (unknown, false)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/hook", listener.local_addr().unwrap());
        let hook = json!({ "type": "gitea", "config": { "url": url, "content_type": "json" }, "events": ["push"], "active": true });
        assert_eq!(
            send("/repos/root1/r/hooks", hook).await.unwrap().status(),
            201
        );
        let file = format!("/repos/root1/r/contents/{trusted}.txt");
        assert_eq!(
            send(&file, json!({ "content": "eAo=" }))
                .await
                .unwrap()
                .status(),
            201
        );
        let told = tokio::time::timeout(PATIENCE, heard(&listener, &acceptor))
            .await
            .unwrap();
        match told {
            Some(text) => assert!(
                trusted && text.contains("x-gitea-event: push") && text.contains("refs/heads/main"),
                "{text}"
            ),
            None => assert!(!trusted, "the certificate is trusted"),
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
