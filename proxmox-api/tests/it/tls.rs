//! Whom the client trusts, and what it says when it does not.

use std::sync::Arc;

use proxmox_api::{Client, ClientBuilder, Delivery, ErrorKind, Fingerprint, Tls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::script::{Reply, Server, nobody, quick};

const VERSION: &str = r#"{"version":"8.4.21","release":"8.4"}"#;

/// A server whose certificate is signed by an authority of its own.
struct Trusted {
    server: Server,
    ca_pem: String,
    fingerprint: Fingerprint,
}

async fn start(name: &str) -> Trusted {
    let mut authority = CertificateParams::new(vec![]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate: CertificateDer<'static> = names.signed_by(&key, &authority).unwrap().into();
    let fingerprint = Fingerprint::of_der(&certificate);
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let server = Server::start(Some(acceptor), |_, _| Reply::data(VERSION)).await;
    Trusted {
        server,
        ca_pem: authority.pem(),
        fingerprint,
    }
}

impl Trusted {
    fn builder(&self, tls: Tls) -> ClientBuilder {
        Client::builder(format!("https://{}", self.server.address))
            .token("root@pam!ci=canary".parse().unwrap())
            .tls(tls)
            .retry(quick())
    }

    async fn accepts(&self, tls: Tls) {
        let version = self.builder(tls).build().unwrap().version().await.unwrap();
        assert_eq!(version.release, "8.4");
    }

    async fn refuses(&self, tls: Tls, reason: &str) {
        let error = self
            .builder(tls)
            .build()
            .unwrap()
            .version()
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.delivery()),
            (ErrorKind::Untrusted, Delivery::NotSent)
        );
        assert_eq!(error.shown_fingerprint(), Some(&self.fingerprint));
        let text = error.to_string();
        assert!(
            text.contains(&self.fingerprint.to_string()) && text.contains(reason),
            "{text}"
        );
        assert!(self.server.seen().is_empty(), "something was sent");
    }
}

#[tokio::test]
async fn the_pinned_certificate_is_trusted_whatever_its_name() {
    let trusted = start("elsewhere.test").await;
    trusted.accepts(Tls::Pinned(trusted.fingerprint)).await;
}

#[tokio::test]
async fn another_fingerprint_fails_closed_and_shows_the_right_one() {
    let pinned: Fingerprint = "ab".repeat(32).parse().unwrap();
    start("127.0.0.1")
        .await
        .refuses(Tls::Pinned(pinned), &pinned.to_string())
        .await;
}

#[tokio::test]
async fn an_authority_is_trusted_from_a_file_and_from_a_text() {
    let trusted = start("127.0.0.1").await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, &trusted.ca_pem).unwrap();
    trusted.accepts(Tls::CaFile(path)).await;
    trusted.accepts(Tls::CaPem(trusted.ca_pem.clone())).await;
}

#[tokio::test]
async fn another_authority_fails_closed_and_shows_the_fingerprint() {
    let other = start("127.0.0.1").await;
    start("127.0.0.1")
        .await
        .refuses(Tls::CaPem(other.ca_pem), "invalid peer certificate")
        .await;
}

#[tokio::test]
async fn a_certificate_for_another_name_fails_closed() {
    let trusted = start("elsewhere.test").await;
    trusted
        .refuses(Tls::CaPem(trusted.ca_pem.clone()), "not valid for")
        .await;
}

#[tokio::test]
async fn each_address_may_have_its_own_pin() {
    let pinned: Fingerprint = "ab".repeat(32).parse().unwrap();
    let trusted = start("b.test").await;
    let client = Client::builder(format!("https://{}", nobody()))
        .tls(Tls::Pinned(pinned))
        .or_at_trusting(
            format!("https://{}", trusted.server.address),
            Tls::Pinned(trusted.fingerprint),
        )
        .retry(quick())
        .build()
        .unwrap();
    assert_eq!(client.version().await.unwrap().release, "8.4");
}

#[tokio::test]
async fn plain_http_is_refused_beyond_loopback() {
    let error = Client::builder("http://192.0.2.1:8006")
        .build()
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.delivery()),
        (ErrorKind::Unusable, Delivery::NotSent)
    );
    let missing = Tls::CaFile("/nowhere/ca.pem".into());
    let error = Client::builder("https://pve1")
        .tls(missing)
        .build()
        .unwrap_err();
    assert!(error.to_string().contains("/nowhere/ca.pem"), "{error}");
}
