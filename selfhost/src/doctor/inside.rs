//! What can be seen from inside the control plane: one question, and what follows from its answer.

use jiff::Timestamp;
use lxc_layers::guest::{Error, Guest, Invocation};

use super::{Check, Finding, certificate, named};
use crate::upkeep::{Layout, Pin, Record, Verdict};

/// Clocks further apart than this disturb certificates, tokens and schedules.
const APART_SECS: i64 = 5;

/// Fewer mebibytes than this are told; a tenth of that is a failure.
const ROOM_MIB: u64 = 1024;

/// One line for each fact: a name, `=`, a value.
const QUESTION: &str = r#"
echo "clock=$(date +%s)"
df -Pk / "$2" 2>/dev/null | awk 'NR > 1 { print "disk=" $6 " " $4 }' | sort -u
for unit in "$3" "$4"; do echo "unit=$unit $(systemctl is-active "$unit" 2>/dev/null)"; done
echo "program=$(sha256sum -- "$1" 2>/dev/null | cut -d' ' -f1)"
echo "certificate=$(tr '\n' ' ' </etc/proxmox-ci/forge.crt 2>/dev/null)"
echo "record=$(tr '\n' ' ' <"$2/last.json" 2>/dev/null)"
"#;

/// What a control plane says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inside {
    /// Its clock, seconds since 1970.
    pub clock: Option<i64>,
    /// Free space by mount point, in KiB.
    pub disks: Vec<(String, u64)>,
    /// Units and the states that systemd gives them.
    pub units: Vec<(String, String)>,
    /// SHA-256 of the program that is installed.
    pub program: Option<String>,
    /// The certificate of the Git service, PEM.
    pub certificate: Option<String>,
    /// How the last change of the program ended.
    pub record: Option<Record>,
}

/// What should be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InsideExpected {
    /// The build that the fleet pins.
    pub pin: Option<Pin>,
}

/// Asks the control plane.
///
/// # Errors
/// When it cannot be reached.
pub async fn look_inside(guest: &dyn Guest, layout: &Layout) -> Result<Inside, Error> {
    let parameters = [
        layout.program.display().to_string(),
        layout.state.display().to_string(),
        layout.forge_unit.clone(),
        layout.runner_unit.clone(),
    ];
    let asked = Invocation::shell(QUESTION, parameters);
    let finished = guest.run(asked, &|_, _| {}).await?;
    Ok(Inside::read(&finished.text()))
}

impl Inside {
    fn read(answer: &str) -> Self {
        let mut inside = Self::default();
        for (name, value) in answer.lines().filter_map(|line| line.split_once('=')) {
            let value = value.trim();
            let pair = value.split_once(' ').unwrap_or((value, ""));
            match name {
                "clock" => inside.clock = value.parse().ok(),
                "disk" => inside
                    .disks
                    .extend(pair.1.parse().ok().map(|free| (pair.0.to_owned(), free))),
                "unit" => inside.units.push((pair.0.to_owned(), pair.1.to_owned())),
                "program" if !value.is_empty() => inside.program = Some(value.to_owned()),
                "certificate" if !value.is_empty() => inside.certificate = Some(value.to_owned()),
                "record" => inside.record = serde_json::from_str(value).ok(),
                _ => {}
            }
        }
        inside
    }
}

/// What follows from it at the moment `now`.
#[must_use]
pub fn judge_inside(inside: &Inside, expected: &InsideExpected, now: Timestamp) -> Vec<Finding> {
    let mut findings = vec![clock(inside, now)];
    findings.extend(inside.disks.iter().map(disk));
    findings.extend(inside.units.iter().map(unit));
    findings.push(match &inside.certificate {
        Some(pem) => certificate::judge(pem, now),
        None => Finding::failed(
            Check::Certificate,
            "there is no `/etc/proxmox-ci/forge.crt`",
            "bootstrap again: it makes what is missing",
        ),
    });
    findings.push(pins(inside, expected.pin.as_ref()));
    findings
}

fn clock(inside: &Inside, now: Timestamp) -> Finding {
    let Some(there) = inside.clock else {
        let remedy = "look at `date` on the control plane";
        return Finding::failed(Check::Clock, "the control plane tells no time", remedy);
    };
    let apart = (there - now.as_second()).abs();
    let found = format!("{apart} s from the clock here");
    if apart <= APART_SECS {
        return Finding::ok(Check::Clock, found);
    }
    let remedy = "containers have the clock of their node: run `chronyc tracking` there and here";
    Finding::failed(Check::Clock, found, remedy)
}

fn disk((mount, free): &(String, u64)) -> Finding {
    let mib = free / 1024;
    let found = format!("{mib} MiB free on `{mount}`");
    let remedy = "let `ROOTFS` in config.env grow, or remove old logs and artifacts";
    if mib >= ROOM_MIB {
        Finding::ok(Check::Disk, found)
    } else if mib >= ROOM_MIB / 10 {
        Finding::warning(Check::Disk, found, remedy)
    } else {
        Finding::failed(Check::Disk, found, remedy)
    }
}

fn unit((unit, state): &(String, String)) -> Finding {
    if state == "active" {
        return Finding::ok(Check::Units, format!("`{unit}` runs"));
    }
    let state = if state.is_empty() { "unknown" } else { state };
    let remedy = format!("`journalctl -u {unit}` on the control plane tells why");
    Finding::failed(Check::Units, format!("`{unit}` is {state}"), remedy)
}

fn pins(inside: &Inside, pin: Option<&Pin>) -> Finding {
    let Some(installed) = &inside.program else {
        let remedy = "bootstrap again: it installs it";
        return Finding::failed(Check::Pins, "the program is not installed", remedy);
    };
    let short = |sum: &str| sum.get(..12).unwrap_or(sum).to_owned();
    let Some(pin) = pin else {
        let found = format!(
            "no build is pinned; {} is installed",
            named([&*short(installed)])
        );
        return Finding::ok(Check::Pins, found);
    };
    if *installed == pin.sha256 {
        return Finding::ok(
            Check::Pins,
            format!("the pinned build {} is installed", pin.version),
        );
    }
    let differs = format!(
        "pinned is `{}` ({}), installed is `{}`",
        short(&pin.sha256),
        pin.version,
        short(installed)
    );
    match &inside.record {
        Some(record) if record.pin == *pin => match &record.verdict {
            Verdict::PutBack { because }
            | Verdict::NotBegun { because }
            | Verdict::Sick { because, .. } => {
                let found = format!("{differs}; it was tried {}: {because}", record.at);
                Finding::failed(
                    Check::Pins,
                    found,
                    "pin another build, or `proxmox-ci upkeep --again`",
                )
            }
            Verdict::Installed => waiting(differs),
        },
        _ => waiting(differs),
    }
}

fn waiting(differs: String) -> Finding {
    Finding::warning(
        Check::Pins,
        differs,
        "push to `main`, or run `proxmox-ci upkeep`",
    )
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    const ANSWER: &str = "clock=1000\ndisk=/ 2097152\nunit=proxmox-ci-forge.service active\nunit=proxmox-ci-runner.service failed\nprogram=abcd\ncertificate=\nrecord=\n";

    fn states(inside: &Inside, pin: Option<Pin>, now: i64) -> Vec<(Check, State)> {
        let now = Timestamp::from_second(now).unwrap();
        let findings = judge_inside(inside, &InsideExpected { pin }, now);
        for finding in &findings {
            assert_eq!(
                finding.remedy.is_none(),
                finding.state == State::Ok,
                "{finding:?}"
            );
        }
        findings.iter().map(|it| (it.check, it.state)).collect()
    }

    #[test]
    fn each_fact_is_judged() {
        let expected = [
            (Check::Clock, State::Ok),
            (Check::Disk, State::Ok),
            (Check::Units, State::Ok),
            (Check::Units, State::Failed),
            (Check::Certificate, State::Failed),
            (Check::Pins, State::Ok),
        ];
        assert_eq!(states(&Inside::read(ANSWER), None, 1003), expected);
    }

    #[test]
    fn a_clock_that_is_off_and_a_full_disk_are_failures() {
        let inside = Inside::read("clock=1000\ndisk=/ 1024\nprogram=ab");
        let states = states(&inside, None, 1010);
        assert_eq!(
            states[..2],
            [(Check::Clock, State::Failed), (Check::Disk, State::Failed)]
        );
    }

    #[test]
    fn a_build_that_was_put_back_is_a_failure_and_one_that_waits_is_not() {
        let pin = Pin {
            version: "1".to_owned(),
            sha256: "ffff".to_owned(),
        };
        let mut inside = Inside::read(ANSWER);
        let of_pins = |inside: &Inside| states(inside, Some(pin.clone()), 1000).pop().unwrap().1;
        assert_eq!(of_pins(&inside), State::Warning);
        inside.record = Some(Record {
            at: "then".to_owned(),
            pin: pin.clone(),
            verdict: Verdict::PutBack {
                because: "dead".to_owned(),
            },
        });
        assert_eq!(of_pins(&inside), State::Failed);
    }
}
