//! The permission check: what the schema asks for, evaluated for the caller, with the real texts.

use serde_json::Value;

use super::World;
use super::access::normalize;
use super::formats;
use super::reply::Fail;
use super::request::Params;
use super::schema::Endpoint;
use super::verify::text_of;

impl World {
    /// Checks what the schema says that the endpoint needs.
    pub(crate) fn check_endpoint(
        &self,
        endpoint: &Endpoint,
        who: &str,
        params: &Params,
    ) -> Result<(), Fail> {
        if who == "root@pam" {
            return Ok(());
        }
        let permissions = &endpoint.permissions;
        if permissions.is_null() {
            return Err(Fail::denied("user != root@pam"));
        }
        match permissions.get("check") {
            Some(check) if permissions.get("user").is_none() => {
                self.evaluate(check, who, params, true)
            }
            _ => Ok(()),
        }
    }

    fn evaluate(&self, check: &Value, who: &str, params: &Params, top: bool) -> Result<(), Fail> {
        let list = check.as_array().map(Vec::as_slice).unwrap_or_default();
        let name = list.first().and_then(Value::as_str).unwrap_or_default();
        match name {
            "and" => list[1..]
                .iter()
                .try_for_each(|part| self.evaluate(part, who, params, top)),
            "or" => {
                let any = list[1..]
                    .iter()
                    .any(|part| self.evaluate(part, who, params, false).is_ok());
                if any {
                    Ok(())
                } else {
                    Err(Fail::denied_bare())
                }
            }
            "perm" => self.perm(list, who, params),
            "userid-param" => self.userid_param(list, who, params),
            "userid-group" => self.userid_group(list, who, params, top),
            "perm-modify" => {
                let path = fill(list[1].as_str().unwrap_or_default(), params);
                self.check_modify(who, &normalize(&path).unwrap_or_default())
            }
            _ => Err(Fail::denied_bare()),
        }
    }

    fn perm(&self, list: &[Value], who: &str, params: &Params) -> Result<(), Fail> {
        let template = list.get(1).and_then(Value::as_str).unwrap_or_default();
        let needed: Vec<&str> = list
            .get(2)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let option = |name: &str| {
            list.iter()
                .position(|item| item == name)
                .map(|at| &list[at + 1])
        };
        if let Some(param) = option("require_param").and_then(Value::as_str)
            && params.get(param).is_none_or(Value::is_null)
        {
            return Err(Fail::denied_bare());
        }
        let path = normalize(&fill(template, params)).unwrap_or_default();
        if option("any").is_some() {
            self.check_any(who, &path, &needed)
        } else {
            self.check(who, &path, &needed)
        }
    }

    fn userid_param(&self, list: &[Value], who: &str, params: &Params) -> Result<(), Fail> {
        let userid = params.get("userid").map(text_of).unwrap_or_default();
        if !formats::user(&userid) {
            return Err(Fail::die(format!(
                "value '{userid}' does not look like a valid user name"
            )));
        }
        let wanted = list.get(1).and_then(Value::as_str).unwrap_or_default();
        if wanted == "self" {
            return if who == userid {
                Ok(())
            } else {
                Err(Fail::denied_bare())
            };
        }
        let realm = userid.rsplit('@').next().unwrap_or_default();
        self.check(who, &format!("/access/realm/{realm}"), &[wanted])
    }

    /// A right over the groups of a user, or over all groups.
    fn userid_group(
        &self,
        list: &[Value],
        who: &str,
        params: &Params,
        top: bool,
    ) -> Result<(), Fail> {
        let needed: Vec<&str> = list
            .get(1)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let userid = params.get("userid").map(text_of).unwrap_or_default();
        let groups_param = list.get(2).and_then(Value::as_str) == Some("groups_param");
        let creates = groups_param && list.get(3).and_then(Value::as_str) == Some("create");
        if !creates && !self.access.users.contains_key(&userid) {
            return Err(if top {
                Fail::die(format!("no such user ('{userid}')"))
            } else {
                Fail::denied_bare()
            });
        }
        if self.check_any(who, "/access/groups", &needed).is_ok() {
            return Ok(());
        }
        let own = self
            .access
            .users
            .get(&userid)
            .map(|user| user.groups.clone())
            .unwrap_or_default();
        let named: Vec<String> = params
            .get("groups")
            .map(text_of)
            .map(|text| {
                super::property::split_list(&text)
                    .map(str::to_owned)
                    .collect()
            })
            .unwrap_or_default();
        let reachable = |group: &String| {
            self.check_any(who, &format!("/access/groups/{group}"), &needed)
                .is_ok()
        };
        let all_named = named.iter().all(reachable);
        let allowed = if creates {
            !named.is_empty() && all_named
        } else {
            own.iter().any(reachable) && all_named
        };
        if allowed {
            return Ok(());
        }
        if creates {
            self.check_any(who, "/access/groups", &needed)
        } else {
            Err(Fail::denied_bare())
        }
    }

    /// The right to change the ACL of a path.
    pub(crate) fn check_modify(&self, who: &str, path: &str) -> Result<(), Fail> {
        let wider: &[&str] = match path.split('/').nth(1) {
            Some("storage") if path.len() > 8 => &["Permissions.Modify", "Datastore.Allocate"],
            Some("vms") if path.len() > 4 => &["Permissions.Modify", "VM.Allocate"],
            Some("pool") if path.len() > 5 => &["Permissions.Modify", "Pool.Allocate"],
            _ => return self.check(who, path, &["Permissions.Modify"]),
        };
        self.check_any(who, path, wider)
    }

    /// All of these privileges at a path.
    pub(crate) fn check(&self, who: &str, path: &str, needed: &[&str]) -> Result<(), Fail> {
        if who == "root@pam" {
            return Ok(());
        }
        let held = if path.is_empty() {
            Default::default()
        } else {
            self.privileges(who, path)
        };
        match needed
            .iter()
            .find(|privilege| !held.contains_key(**privilege))
        {
            None => Ok(()),
            Some(missing) => Err(Fail::denied(format!("{path}, {missing}"))),
        }
    }

    /// One of these privileges at a path.
    pub(crate) fn check_any(&self, who: &str, path: &str, needed: &[&str]) -> Result<(), Fail> {
        if who == "root@pam" {
            return Ok(());
        }
        let held = if path.is_empty() {
            Default::default()
        } else {
            self.privileges(who, path)
        };
        if needed.iter().any(|privilege| held.contains_key(*privilege)) {
            Ok(())
        } else {
            Err(Fail::denied(format!("{path}, {}", needed.join("|"))))
        }
    }

    /// A guest's privileges, which may come from a pool that it is going to be in.
    pub(crate) fn check_guest(
        &self,
        who: &str,
        vmid: u32,
        pool: Option<&str>,
        needed: &[&str],
    ) -> Result<(), Fail> {
        if let Some(pool) = pool
            && self.check(who, &format!("/pool/{pool}"), needed).is_ok()
        {
            return Ok(());
        }
        self.check(who, &format!("/vms/{vmid}"), needed)
    }
}

/// `/vms/{vmid}` with its parameters; a missing one is empty.
fn fill(template: &str, params: &Params) -> String {
    let mut path = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        path.push_str(before);
        let (name, tail) = after.split_once('}').unwrap_or((after, ""));
        path.push_str(&params.get(name).map(text_of).unwrap_or_default());
        rest = tail;
    }
    path + rest
}
