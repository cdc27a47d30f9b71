//! Whom the client trusts over TLS.

use std::path::{Path, PathBuf};

use gitea_api::tls::{Fingerprint, Trust};
use gitea_api::{Client, Delivery, ErrorKind, RetryPolicy};
use testkit::forge::{Forge, ForgeOptions};

/// A forge over TLS whose certificate signs itself.
struct Secured {
    forge: Forge,
    folder: tempfile::TempDir,
    fingerprint: Fingerprint,
}

async fn secured(name: &str) -> Secured {
    let made =
        rcgen::generate_simple_self_signed([name.to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let certificate = file("cert.pem", made.cert.pem());
    let key = file("key.pem", made.signing_key.serialize_pem());
    let options = ForgeOptions {
        tls: Some((certificate, key)),
        ..ForgeOptions::default()
    };
    let forge = Forge::start_with(options).await.unwrap();
    Secured {
        forge,
        folder,
        fingerprint: Fingerprint::of(made.cert.der()),
    }
}

impl Secured {
    fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    fn client(&self, trust: Trust) -> Client {
        Client::builder(self.forge.url())
            .trust(trust)
            .retry(RetryPolicy::never())
            .build()
            .unwrap()
    }

    async fn is_trusted(&self, trust: Trust) {
        let client = self.client(trust);
        assert_eq!(
            client.version().await.unwrap(),
            client.version().await.unwrap()
        );
    }

    async fn is_refused(&self, trust: Trust) {
        let error = self.client(trust).version().await.unwrap_err();
        assert_eq!(
            (error.kind(), error.delivery()),
            (&ErrorKind::CertificateRefused, Delivery::NotSent),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_certificate_is_trusted_by_its_pin_or_its_authority_and_not_by_the_system() {
    let secured = secured("forge.internal").await;
    secured.is_trusted(Trust::Pin(secured.fingerprint)).await;
    secured
        .is_trusted(Trust::CaFile(secured.certificate()))
        .await;
    let pem = std::fs::read(secured.certificate()).unwrap();
    secured.is_trusted(Trust::CaPem(pem)).await;
    secured.is_refused(Trust::SystemRoots).await;
    secured
        .is_refused(Trust::Pin(Fingerprint::of(b"another")))
        .await;
}

#[tokio::test]
async fn another_authority_is_refused() {
    let (one, other) = (
        secured("one.internal").await,
        secured("other.internal").await,
    );
    one.is_refused(Trust::CaFile(other.certificate())).await;
}

#[test]
fn a_file_without_certificates_is_refused_at_once() {
    for trust in [
        Trust::CaPem(Vec::new()),
        Trust::CaFile(Path::new("/nonexistent/ca.pem").into()),
    ] {
        let error = Client::builder("https://forge.internal")
            .trust(trust)
            .build()
            .unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::InvalidRequest);
    }
}
