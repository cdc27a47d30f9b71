//! `fleet.toml`: identity, defaults, network, policies, program, variables.

mod program;

use std::net::Ipv4Addr;

use toml::Spanned;
use toml::de::DeValue;

use super::container::toml_entry;
use super::document::{Document, unknown_key};
use crate::diagnostic::{Diagnostic, Located, Span};
use crate::spec::keys::{File, Scope, names};
use crate::spec::{Fleet, RebootPolicy, Subnet, Vmid};

/// Reads `fleet.toml`.
pub(super) fn parse(text: &str, problems: &mut Vec<Diagnostic>) -> Fleet {
    let before = problems.len();
    let (document, table) = Document::parse("fleet.toml", text, problems);
    let mut fleet = Fleet::default();
    for (key, value) in document.pairs(&table) {
        let mut reader = Reader {
            document: &document,
            fleet: &mut fleet,
            problems,
        };
        match key.value.as_str() {
            "id" => reader.id(value),
            "defaults" => reader.defaults(value),
            "network" => reader.network(value),
            "policies" => reader.policies(value),
            "program" => reader.program(&key, value),
            "vars" => reader.vars(value),
            name if names(File::Connection, "").contains(&name) => {
                reader.problems.push(belongs_elsewhere(&key));
            }
            _ => reader
                .problems
                .push(unknown_key(&key, &names(File::Fleet, ""))),
        }
    }
    if fleet.id.is_none() && problems.len() == before {
        problems.push(
            Diagnostic::error(
                "missing-key",
                Span::whole("fleet.toml"),
                "the fleet has no `id`",
            )
            .expected("expected `id = \"…\"`")
            .help(
                "`proxmox-ci init` writes a random one; it must never change once guests bear it",
            ),
        );
    }
    fleet
}

fn belongs_elsewhere(key: &Located<String>) -> Diagnostic {
    Diagnostic::error(
        "unknown-key",
        key.span.clone(),
        format!(
            "`{}` says how to connect, and that differs from place to place",
            key.value
        ),
    )
    .help("write it in `fleet.local.toml`, which git does not track")
}

struct Reader<'r, 'a> {
    document: &'r Document<'a>,
    fleet: &'r mut Fleet,
    problems: &'r mut Vec<Diagnostic>,
}

impl<'a> Reader<'_, 'a> {
    fn take<T>(&mut self, result: Result<T, Box<Diagnostic>>) -> Option<T> {
        result.map_err(|problem| self.problems.push(*problem)).ok()
    }

    fn id(&mut self, value: &Spanned<DeValue<'a>>) {
        let Some(written) = self.take(self.document.string(value)) else {
            return;
        };
        match written.value.parse() {
            Ok(id) => self.fleet.id = Some(Located::new(id, written.span)),
            Err(error) => {
                let wanted = crate::spec::NotAName::wanted(&error);
                let problem = Diagnostic::error("bad-value", written.span, format!("{error}"));
                self.problems.push(
                    problem
                        .expected(format!("expected {wanted}"))
                        .help("take the one that `proxmox-ci init` wrote"),
                );
            }
        }
    }

    fn defaults(&mut self, value: &Spanned<DeValue<'a>>) {
        let Some(table) = self.take(self.document.table(value)) else {
            return;
        };
        for (key, value) in self.document.pairs(table) {
            toml_entry(
                self.document,
                key,
                value,
                Scope::Fleet,
                &mut self.fleet.defaults,
                self.problems,
            );
        }
    }

    fn network(&mut self, value: &Spanned<DeValue<'a>>) {
        let Some(table) = self.take(self.document.table(value)) else {
            return;
        };
        for (key, value) in self.document.pairs(table) {
            let known = names(File::Fleet, "network");
            if !known.contains(&key.value.as_str()) {
                self.problems.push(unknown_key(&key, &known));
                continue;
            }
            self.fleet.network.subnet_unread |= key.value == "subnet";
            let Some(written) = self.take(self.document.string(value)) else {
                continue;
            };
            match key.value.as_str() {
                "subnet" => {
                    self.fleet.network.subnet = self.read(written, subnet);
                    self.fleet.network.subnet_unread = self.fleet.network.subnet.is_none();
                }
                "gateway" => self.fleet.network.gateway = self.read(written, gateway),
                _ => self.fleet.network.vmids = self.read(written, vmids),
            }
        }
    }

    fn read<T>(
        &mut self,
        written: Located<String>,
        parse: fn(&str) -> Result<T, &'static str>,
    ) -> Option<Located<T>> {
        match parse(&written.value) {
            Ok(value) => Some(Located::new(value, written.span)),
            Err(wanted) => {
                let message = format!("`{}` cannot stand here", written.value);
                self.problems.push(
                    Diagnostic::error("bad-value", written.span, message)
                        .expected(format!("expected {wanted}"))
                        .help(format!("write {wanted}")),
                );
                None
            }
        }
    }

    fn policies(&mut self, value: &Spanned<DeValue<'a>>) {
        let Some(table) = self.take(self.document.table(value)) else {
            return;
        };
        for (key, value) in self.document.pairs(table) {
            if key.value != "reboot" {
                self.problems.push(unknown_key(&key, &["reboot"]));
                continue;
            }
            let Some(written) = self.take(self.document.string(value)) else {
                continue;
            };
            if let Some(policy) = self.read(written, reboot) {
                self.fleet.policies.reboot = policy.value;
            }
        }
    }

    fn vars(&mut self, value: &Spanned<DeValue<'a>>) {
        let Some(table) = self.take(self.document.table(value)) else {
            return;
        };
        for (key, value) in self.document.pairs(table) {
            if !super::local::is_variable_name(&key.value) {
                self.problems.push(super::local::bad_variable(&key));
            } else if let Some(value) = self.take(self.document.scalar(value)) {
                self.fleet.vars.insert(key.value, value);
            }
        }
    }
}

fn subnet(text: &str) -> Result<Subnet, &'static str> {
    let wanted = "an IPv4 network such as `10.0.0.0/24`";
    let (address, prefix) = text.split_once('/').ok_or(wanted)?;
    let address: Ipv4Addr = address.parse().map_err(|_| wanted)?;
    let prefix = prefix
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(prefix);
    let prefix: u8 = prefix.and_then(|it| it.parse().ok()).ok_or(wanted)?;
    let subnet = Subnet::new(address, prefix).ok_or(wanted)?;
    if subnet.address == address {
        Ok(subnet)
    } else {
        Err("the network's own address, its host part zero")
    }
}

fn gateway(text: &str) -> Result<Ipv4Addr, &'static str> {
    text.parse()
        .map_err(|_| "an IPv4 address such as `10.0.0.1`")
}

fn vmids(text: &str) -> Result<(Vmid, Vmid), &'static str> {
    let wanted = "a range of numbers such as `100-199`, from 100 on";
    let (first, last) = text.split_once('-').ok_or(wanted)?;
    let first: Vmid = first.trim().parse().map_err(|_| wanted)?;
    let last: Vmid = last.trim().parse().map_err(|_| wanted)?;
    if first <= last {
        Ok((first, last))
    } else {
        Err(wanted)
    }
}

fn reboot(text: &str) -> Result<RebootPolicy, &'static str> {
    match text {
        "never" => Ok(RebootPolicy::Never),
        "allow" => Ok(RebootPolicy::Allow),
        _ => Err("`never` or `allow`"),
    }
}
