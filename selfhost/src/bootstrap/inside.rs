//! Inside: what is asked of the container, and what is put there.

use gitea_api::tls::Fingerprint;
use lxc_layers::{
    guest::{Invocation, LastWords, Parcel},
    process::Finished,
    provision::{Job, Mode, Provisioner as _, Script},
};
use serde::{Deserialize, Serialize};

use super::{Certificate, Error, Site, Tree, certificate::fingerprint};

/// Our own program in the container.
pub const PROGRAM: &str = "/usr/local/bin/proxmox-ci";
/// The unit of the Git service.
pub const UNIT_OF_FORGE: &str = "proxmox-ci-forge.service";
/// The unit of the runner.
pub const UNIT_OF_RUNNER: &str = "proxmox-ci-runner.service";
/// Where certificate and keys are in the container.
pub(crate) const PLACE: &str = "/etc/proxmox-ci";

/// How long the script of a tree may take.
const TREE_LIMIT: std::time::Duration = std::time::Duration::from_secs(300);

/// The certificate and what it was made for, in one look; nothing where one of the three is missing.
const SHOW_CERTIFICATE: &str = r#"
cd "$1" 2>/dev/null || exit 0
[ -s forge.json ] && [ -s forge.crt ] && [ -s forge.key ] || exit 0
cat forge.json forge.crt
"#;

/// What a certificate was made for: written last, so that it stands for all three files.
#[derive(Debug, Serialize, Deserialize)]
struct MadeFor {
    address: String,
    fingerprint: String,
}

/// A certificate that stands in the container.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) pem: String,
    pub(super) fingerprint: Fingerprint,
}

/// Runs a command in the container; an exit code other than 0 is an error.
pub(super) async fn run(
    site: &Site,
    doing: impl Into<String>,
    invocation: Invocation,
) -> Result<Finished, Error> {
    let doing = doing.into();
    let guest = site.guest().await?;
    let finished = guest.run(invocation, &|_, line| site.line(line)).await;
    let finished = finished.map_err(Error::guest(doing.clone()))?;
    if finished.is_success() {
        return Ok(finished);
    }
    Err(Error::Inside {
        doing,
        code: finished.code,
        last: LastWords::new(&finished.tail),
    })
}

/// Asks the container something and takes what it prints; its lines are nobody's.
pub(super) async fn ask<const N: usize>(
    site: &Site,
    doing: &str,
    script: &str,
    parameters: [&str; N],
) -> Result<String, Error> {
    let guest = site.guest().await?;
    let asked = guest.run(Invocation::shell(script, parameters), &|_, _| {});
    let finished = asked.await.map_err(Error::guest(doing))?;
    if finished.is_success() {
        return Ok(finished.text());
    }
    Err(Error::Inside {
        doing: doing.to_owned(),
        code: finished.code,
        last: LastWords::new(&finished.tail),
    })
}

/// The certificate that stands in the container, when it was made for the address that the control
/// plane has.
pub(super) async fn certificate(site: &Site) -> Result<Option<Shown>, Error> {
    let text = ask(
        site,
        "looking at the certificate",
        SHOW_CERTIFICATE,
        [PLACE],
    )
    .await?;
    let Some((made_for, pem)) = text.split_once('\n') else {
        return Ok(None);
    };
    let Ok(made_for) = serde_json::from_str::<MadeFor>(made_for) else {
        return Ok(None);
    };
    let address = site.settings.address()?.to_string();
    let shown = fingerprint(pem).map(|fingerprint| Shown {
        pem: pem.trim().to_owned() + "\n",
        fingerprint,
    });
    Ok(shown.filter(|shown| {
        made_for.address == address && shown.fingerprint.to_string() == made_for.fingerprint
    }))
}

/// Puts a new certificate into the container.
pub(super) async fn send_certificate(site: &Site, made: &Certificate) -> Result<(), Error> {
    let made_for = MadeFor {
        address: site.settings.address()?.to_string(),
        fingerprint: made.fingerprint.to_string(),
    };
    let line = serde_json::to_string(&made_for).unwrap_or_default() + "\n";
    let parcel = |path: &str, content: &str, mode| Parcel {
        path: path.to_owned(),
        content: content.as_bytes().to_vec(),
        mode,
    };
    let files = vec![
        parcel("forge.key", made.key.reveal(), 0o600),
        parcel("forge.crt", &made.pem, 0o644),
        parcel("forge.json", &line, 0o644),
    ];
    let guest = site.guest().await?;
    let sent = guest.send(files, PLACE).await;
    sent.map_err(Error::guest("sending the certificate"))
}

/// Puts a tree to work in the container, and its fingerprint into the container's notes.
pub(super) async fn provision(site: &Site, tree: &Tree) -> Result<(), Error> {
    let step = tree.write(site.scratch.path(), TREE_LIMIT)?;
    let name = site.settings.control_plane()?.name.to_string();
    let guest = site.guest().await?;
    let on_line = |_, line: &str| site.line(line);
    let job = Job {
        step: &step,
        container: &name,
        root: site.scratch.path(),
        guest: &**guest,
        scratch: site.scratch.path(),
        redactor: &site.redactor,
        on_line: &on_line,
    };
    let ran = Script::new("apply.sh").run(&job, Mode::Apply).await;
    ran.map_err(|source| Error::Provision {
        doing: format!("putting `{}` to work", tree.id()),
        source: Box::new(source),
    })?;
    site.mark(tree.id(), &step.fingerprint).await
}
