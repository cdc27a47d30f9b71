//! Who may do what: a matrix of users, roles and calls, made through the API alone.

use serde_json::Value;
use testkit::pve::{Moment, Reply, Request, Setup, Timing, Version, World};

struct Asker {
    world: World,
    now: u64,
}

impl Asker {
    fn new(version: Version) -> Self {
        let setup = Setup {
            version,
            timing: Timing::Instant,
            ..Setup::default()
        };
        Self {
            world: World::new(&setup, Moment::from_millis(1_700_000_000_000)),
            now: 1_700_000_000_000,
        }
    }

    fn ask(&mut self, token: &str, method: &str, path: &str, form: &str) -> Reply {
        let mut request = Request::new(method, &format!("/api2/json{path}"));
        request
            .headers
            .push(("Authorization".to_owned(), format!("PVEAPIToken={token}")));
        request.body = form.as_bytes().to_vec();
        self.now += 1;
        self.world.handle(&request, Moment::from_millis(self.now))
    }

    fn root(&mut self, method: &str, path: &str, form: &str) -> Value {
        let reply = self.ask(&Setup::default().root_token(), method, path, form);
        assert_eq!(reply.status, 200, "{method} {path}: {}", reply.reason);
        serde_json::from_slice::<Value>(&reply.body).unwrap()["data"].take()
    }

    /// A user with a token that may do what the user may.
    fn user(&mut self, name: &str) -> String {
        self.root("POST", "/access/users", &format!("userid={name}@pve"));
        let token = self.root(
            "POST",
            &format!("/access/users/{name}@pve/token/tk"),
            "privsep=0",
        );
        format!("{name}@pve!tk={}", token["value"].as_str().unwrap())
    }

    fn container(&mut self, vmid: u32) {
        let form = format!(
            "vmid={vmid}&ostemplate=local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst&rootfs=local:1&unprivileged=1"
        );
        self.root("POST", "/nodes/pve1/lxc", &form);
    }
}

/// Calls on container 100, with the privilege that each needs there.
const CALLS: [(&str, &str, &str, &str); 8] = [
    ("GET", "/nodes/pve1/lxc/100/config", "", "VM.Audit"),
    ("GET", "/nodes/pve1/lxc/100/status/current", "", "VM.Audit"),
    (
        "PUT",
        "/nodes/pve1/lxc/100/config",
        "memory=256",
        "VM.Config.Memory",
    ),
    (
        "PUT",
        "/nodes/pve1/lxc/100/config",
        "cores=2",
        "VM.Config.CPU",
    ),
    (
        "PUT",
        "/nodes/pve1/lxc/100/config",
        "hostname=h",
        "VM.Config.Network",
    ),
    (
        "PUT",
        "/nodes/pve1/lxc/100/config",
        "description=d",
        "VM.Config.Options",
    ),
    (
        "POST",
        "/nodes/pve1/lxc/100/status/start",
        "",
        "VM.PowerMgmt",
    ),
    (
        "POST",
        "/nodes/pve1/lxc/100/snapshot",
        "snapname=one",
        "VM.Snapshot",
    ),
];

const ROLES: [&str; 9] = [
    "NoAccess",
    "PVEAuditor",
    "PVEVMUser",
    "PVEVMAdmin",
    "PVEAdmin",
    "Administrator",
    "PVEDatastoreUser",
    "PVETemplateUser",
    "PVEPoolUser",
];

#[test]
fn a_role_opens_exactly_the_calls_whose_privilege_it_has() {
    for version in [Version::V8_4, Version::V9_2] {
        let mut asker = Asker::new(version);
        asker.container(100);
        for (number, role) in ROLES.iter().enumerate() {
            let token = asker.user(&format!("u{number}"));
            asker.root(
                "PUT",
                "/access/acl",
                &format!("path=/vms/100&roles={role}&users=u{number}@pve"),
            );
            let held = asker.root("GET", &format!("/access/roles/{role}"), "");
            for (method, path, form, privilege) in CALLS {
                let reply = asker.ask(&token, method, path, form);
                let allowed = held.get(privilege).is_some();
                assert_eq!(
                    reply.status != 403,
                    allowed,
                    "{role}: {method} {path} {form}: {}",
                    reply.reason
                );
                asker.world.set_timing(Timing::Instant);
            }
        }
    }
}

#[test]
fn rights_come_from_paths_groups_and_pools_and_deeper_entries_win() {
    let mut asker = Asker::new(Version::V8_4);
    asker.container(100);
    let token = asker.user("ada");
    let may = |asker: &mut Asker| {
        asker
            .ask(&token, "GET", "/nodes/pve1/lxc/100/config", "")
            .status
            == 200
    };
    assert!(!may(&mut asker));

    asker.root("POST", "/pools", "poolid=p");
    asker.root("PUT", "/pools/p", "vms=100");
    asker.root(
        "PUT",
        "/access/acl",
        "path=/pool/p&roles=PVEAuditor&users=ada@pve",
    );
    assert!(may(&mut asker), "a pool's right reaches its members");
    asker.root(
        "PUT",
        "/access/acl",
        "path=/pool/p&roles=PVEAuditor&users=ada@pve&delete=1",
    );
    assert!(!may(&mut asker));

    asker.root("POST", "/access/groups", "groupid=g");
    asker.root("PUT", "/access/users/ada@pve", "groups=g");
    asker.root("PUT", "/access/acl", "path=/vms&roles=PVEAuditor&groups=g");
    assert!(may(&mut asker), "a group's right propagates");
    asker.root(
        "PUT",
        "/access/acl",
        "path=/vms/100&roles=NoAccess&users=ada@pve",
    );
    assert!(!may(&mut asker), "the deeper entry replaces it");
    asker.root(
        "PUT",
        "/access/acl",
        "path=/vms/100&roles=NoAccess&users=ada@pve&delete=1",
    );
    asker.root(
        "PUT",
        "/access/acl",
        "path=/vms&roles=PVEAuditor&groups=g&propagate=0",
    );
    assert!(
        !may(&mut asker),
        "what does not propagate stays where it is"
    );
}

#[test]
fn a_separated_token_has_at_most_what_its_user_has() {
    let mut asker = Asker::new(Version::V9_2);
    asker.container(100);
    asker.user("ada");
    let token = asker.root("POST", "/access/users/ada@pve/token/sep", "");
    let token = format!("ada@pve!sep={}", token["value"].as_str().unwrap());
    let config = |asker: &mut Asker| asker.ask(&token, "GET", "/nodes/pve1/lxc/100/config", "");
    asker.root(
        "PUT",
        "/access/acl",
        "path=/vms/100&roles=PVEAuditor&tokens=ada@pve!sep",
    );
    assert_eq!(
        config(&mut asker).reason,
        "Permission check failed (/vms/100, VM.Audit)"
    );
    asker.root(
        "PUT",
        "/access/acl",
        "path=/vms/100&roles=PVEVMAdmin&users=ada@pve",
    );
    assert_eq!(config(&mut asker).status, 200);
    let put = asker.ask(&token, "PUT", "/nodes/pve1/lxc/100/config", "memory=64");
    assert_eq!(put.status, 403);
}

#[test]
fn only_root_itself_may_change_what_reaches_the_host() {
    let mut asker = Asker::new(Version::V8_4);
    asker.container(100);
    for (form, text) in [
        (
            "features=keyctl%3D1",
            "changing feature flags (except nesting) is only allowed for root@pam",
        ),
        (
            "mp0=/srv%2Cmp%3D/srv",
            "mount point type bind is only allowed for root@pam",
        ),
        (
            "dev0=/dev/fuse",
            "configuring device passthrough is only allowed for root@pam",
        ),
        (
            "hookscript=local:snippets/a.pl",
            "changing the hookscript is only allowed for root@pam",
        ),
    ] {
        let reply = asker.ask(
            &Setup::default().root_token(),
            "PUT",
            "/nodes/pve1/lxc/100/config",
            form,
        );
        assert_eq!(reply.reason, format!("Permission check failed ({text})"));
    }
}
