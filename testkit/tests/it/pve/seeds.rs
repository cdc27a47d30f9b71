//! The same seed and the same requests give the same bytes; a clone goes its own way.

use testkit::pve::{Moment, Request, Setup, Timing, World};

const START: u64 = 1_700_000_000_000;

/// Plays a short life and gives every body.
fn play(world: &mut World, from: u64) -> Vec<String> {
    let token = format!("PVEAPIToken={}", Setup::default().root_token());
    let template = "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst";
    let create = format!(
        "vmid=100&ostemplate={template}&rootfs=local:1&net0=name%3Deth0%2Cbridge%3Dvmbr0&start=1"
    );
    let calls = [
        ("POST", "/access/users/root@pam/token/aa", "privsep=0"),
        ("POST", "/nodes/pve1/lxc", create.as_str()),
        ("GET", "/nodes/pve1/lxc/100/config", ""),
        ("GET", "/nodes/pve1/lxc/100/status/current", ""),
        ("GET", "/nodes/pve1/tasks?source=all", ""),
    ];
    calls
        .iter()
        .zip(1..)
        .map(|((method, path, form), step)| {
            let mut request = Request::new(method, &format!("/api2/json{path}"));
            request
                .headers
                .push(("Authorization".to_owned(), token.clone()));
            request.body = form.as_bytes().to_vec();
            let reply = world.handle(&request, Moment::from_millis(from + step * 1000));
            assert_eq!(reply.status, 200, "{path}: {}", reply.reason);
            String::from_utf8(reply.body).unwrap()
        })
        .collect()
}

fn world(seed: u64) -> World {
    let setup = Setup {
        seed,
        timing: Timing::Instant,
        ..Setup::default()
    };
    World::new(&setup, Moment::from_millis(START))
}

#[test]
fn one_seed_makes_one_life() {
    assert_eq!(play(&mut world(7), START), play(&mut world(7), START));
    assert_ne!(play(&mut world(7), START), play(&mut world(8), START));
}

#[test]
fn a_clone_is_a_snapshot() {
    let before = world(7);
    let mut one = before.clone();
    let mut two = before;
    assert_eq!(play(&mut one, START), play(&mut two, START));
    let written = serde_json::to_string(&one).unwrap();
    let mut read: World = serde_json::from_str(&written).unwrap();
    let request = Request::new("GET", "/api2/json/access/ticket");
    let now = Moment::from_millis(START + 60_000);
    assert_eq!(
        read.handle(&request, now).body,
        one.handle(&request, now).body
    );
}
