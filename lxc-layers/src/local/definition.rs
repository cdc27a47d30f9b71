//! What is asked of Docker for one container, and what cannot be had there: values alone.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::{
    guest::{Parcel, docker::Publish},
    resolve::{Address, Container, Health, MountSource},
};

/// The `ARG` of a Dockerfile that names its base.
const BASE: &str = "BASE";

/// The value that a Dockerfile gives its `ARG BASE`, when its `FROM` uses it.
pub(super) fn base(dockerfile: &str) -> Option<String> {
    let words =
        |line: &str| -> Vec<String> { line.split_whitespace().map(str::to_owned).collect() };
    let lines: Vec<Vec<String>> = dockerfile.lines().map(words).collect();
    let uses = lines.iter().any(|line| match line.as_slice() {
        [from, image, ..] => {
            from.eq_ignore_ascii_case("FROM") && ["${BASE}", "$BASE"].contains(&image.as_str())
        }
        _ => false,
    });
    let default = lines.iter().find_map(|line| match line.as_slice() {
        [arg, value, ..] if arg.eq_ignore_ascii_case("ARG") => match value.split_once('=') {
            Some((BASE, value)) => Some(value.trim_matches(['"', '\'']).to_owned()),
            None if value == BASE => Some(String::new()),
            _ => None,
        },
        _ => None,
    });
    default.filter(|_| uses)
}

/// A Dockerfile whose every stage bears a label from its first step on, so that what an unfinished
/// build leaves behind is found. The numbers of its lines stay, where a stage begins with a blank or a
/// comment. A Dockerfile with documents in it is left as it is: their lines are not told from its own.
pub(super) fn labelled(dockerfile: &str, (key, value): (&str, &str)) -> String {
    if dockerfile.contains("<<") {
        return dockerfile.to_owned();
    }
    let mut lines = Vec::new();
    let mut rest = dockerfile.lines().peekable();
    let mut continues = false;
    while let Some(line) = rest.next() {
        let begins = !continues;
        continues = line.trim_end().ends_with('\\');
        lines.push(line.to_owned());
        let word = line.split_whitespace().next().unwrap_or_default();
        if begins && !continues && word.eq_ignore_ascii_case("FROM") {
            lines.push(format!("LABEL {key}={value}"));
            rest.next_if(|next| next.trim().is_empty() || next.trim_start().starts_with('#'));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

/// What an image is made of, in one value.
pub(super) fn fingerprint(files: &[Parcel], base: &str) -> String {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    part(base.as_bytes());
    for file in files {
        part(file.path.as_bytes());
        part(&file.mode.to_be_bytes());
        part(&file.content);
    }
    short(&hex::encode(hash.finalize()))
}

/// What a container is made of, beside its image: what cannot be changed once it is made.
pub(super) fn made_of(image: &str, hostname: &str, keys: [&str; 2], ports: &[Publish]) -> String {
    let [ours, host] = keys;
    let mut text = format!("{image}\n{hostname}\n{ours}\n{host}\n");
    for port in ports {
        // Writing into a text does not fail.
        let _ = writeln!(text, "{} {}", port.host, port.guest);
    }
    short(&hex::encode(Sha256::digest(text)))
}

/// Enough of a digest to be a name.
pub(super) fn short(digest: &str) -> String {
    digest.chars().take(16).collect()
}

/// A text as a part of an image's name: lower-case letters, digits and dashes.
pub(super) fn word(text: &str) -> String {
    let plain = |character: char| match character.to_ascii_lowercase() {
        kept @ ('a'..='z' | '0'..='9') => kept,
        _ => '-',
    };
    let word: String = text.chars().map(plain).collect();
    word.trim_matches('-').to_owned()
}

/// The ports that are mapped: those that health asks for, those of the image, those that were asked
/// for; ssh, by which Ansible comes in.
pub(super) fn ports(container: &Container, exposed: &[u16], asked: &[Publish]) -> Vec<Publish> {
    let any = |guest| Publish { guest, host: 0 };
    let health = container.health.iter().filter_map(|health| match health {
        Health::Http { port, .. } | Health::Tcp { port } => Some(*port),
        Health::Unit { .. } => None,
    });
    let own = health.chain(exposed.iter().copied()).chain([SSH]).map(any);
    let mut ports = asked.to_vec();
    for port in own {
        if !ports.iter().any(|it| it.guest == port.guest) {
            ports.push(port);
        }
    }
    ports.sort();
    ports
}

/// The port of ssh.
pub(super) const SSH: u16 = 22;

/// Where the service is reached, of the ports as they are mapped.
pub(super) fn urls(container: &Container, ports: &[Publish]) -> Vec<String> {
    let host = |guest: u16| ports.iter().find(|it| it.guest == guest).map(|it| it.host);
    let mut urls: Vec<String> = container
        .health
        .iter()
        .filter_map(|health| match health {
            Health::Http { port, path } => Some(format!("http://127.0.0.1:{}{path}", host(*port)?)),
            Health::Tcp { port } => Some(format!("tcp://127.0.0.1:{}", host(*port)?)),
            Health::Unit { .. } => None,
        })
        .collect();
    urls.dedup();
    urls
}

/// What the definition says and Docker does not give, a sentence each.
#[must_use]
pub fn left_out(container: &Container) -> Vec<String> {
    let mut left = vec![match container.nics.first().map(|nic| nic.address) {
        Some(Address::Static { address, .. }) => {
            format!(
                "the address {address}: it has one of Docker's, and ports of loopback lead to it"
            )
        }
        _ => "an address in your network: it has one of Docker's, and ports of loopback lead to it"
            .to_owned(),
    }];
    if let Some(more) = container.nics.get(1..).filter(|more| !more.is_empty()) {
        let names: Vec<&str> = more.iter().map(|nic| nic.name.as_str()).collect();
        left.push(format!("the interfaces {}: there is one", names.join(", ")));
    }
    left.push(format!(
        "the limits (cores {}, memory {}, swap {}, disk {}): it may take what this machine has",
        container.cores, container.memory, container.swap, container.rootfs.size
    ));
    left.extend(container.mounts.iter().map(|mount| {
        let source = match &mount.source {
            MountSource::Volume(disk) => format!("volume of {}", disk.storage),
            MountSource::Existing { volume } => format!("volume {volume}"),
            MountSource::Bind { path } => format!("folder {path} of the node"),
        };
        format!(
            "the mount {}, a {source}: it is an ordinary folder, if anything",
            mount.target
        )
    }));
    let devices = container.devices.iter();
    left.extend(devices.map(|device| format!("the device {}", device.path)));
    let features: Vec<String> = container
        .features
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if !features.is_empty() {
        left.push(format!("the features {}", features.join(", ")));
    }
    let others: Vec<String> = container.after.iter().map(ToString::to_string).collect();
    if !others.is_empty() {
        left.push(format!(
            "the neighbours {}: they are not started with it",
            others.join(", ")
        ));
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_of_a_dockerfile_is_known_when_its_from_uses_it() {
        let written = "# x\nARG BASE=debian:12\nFROM ${BASE}\nRUN true\n";
        assert_eq!(base(written).as_deref(), Some("debian:12"));
        assert_eq!(
            base("arg BASE=\"a\"\nfrom $BASE AS b\n").as_deref(),
            Some("a")
        );
        assert_eq!(base("ARG BASE=debian:12\nFROM debian:13\n"), None);
        assert_eq!(base("FROM ${BASE}\n"), None);
        assert_eq!(base(crate::local::DOCKERFILE).as_deref(), Some("debian:12"));
    }

    #[test]
    fn every_stage_bears_the_label_and_lines_keep_their_numbers() {
        let label = ("fleet", "x");
        let told = labelled(
            "ARG BASE\nFROM ${BASE} AS one\n\nRUN true \\\nFROM\nfrom b\nRUN x\n",
            label,
        );
        let expected = "ARG BASE\nFROM ${BASE} AS one\nLABEL fleet=x\nRUN true \\\nFROM\nfrom b\nLABEL fleet=x\nRUN x\n";
        assert_eq!(told, expected);
        let ours = labelled(crate::local::DOCKERFILE, label);
        let count = |text: &str| text.lines().count();
        assert_eq!(count(&ours), count(crate::local::DOCKERFILE));
        assert!(
            ours.contains("\nFROM ${BASE}\nLABEL fleet=x\n# What a"),
            "{ours}"
        );
        let documents = "FROM a\nRUN <<END\nFROM b\nEND\n";
        assert_eq!(labelled(documents, label), documents);
    }

    #[test]
    fn an_image_is_another_when_a_file_its_mode_or_its_base_is() {
        let parcel = |mode, content: &str| Parcel {
            path: "Dockerfile".to_owned(),
            content: content.as_bytes().to_vec(),
            mode,
        };
        let one = fingerprint(&[parcel(0o644, "a")], "x");
        assert_eq!(one, fingerprint(&[parcel(0o644, "a")], "x"));
        for other in [
            fingerprint(&[parcel(0o755, "a")], "x"),
            fingerprint(&[parcel(0o644, "b")], "x"),
            fingerprint(&[parcel(0o644, "a")], "y"),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn names_of_images_are_words() {
        assert_eq!(word("Fleet_7.x-"), "fleet-7-x");
    }
}
