//! Changing passwords.

use serde_json::Value;

use super::World;
use super::reply::Fail;
use super::route::{Answer, Call, Handler};

pub(crate) fn handler(method: &str, path: &str) -> Option<Handler> {
    matches!((method, path), ("PUT", "/access/password")).then_some(change as Handler)
}

impl World {
    /// Whoever changes another user, or itself, confirms it with the own password; root need not.
    pub(crate) fn confirm(&self, call: &Call<'_>, parameter: &str) -> Result<(), Fail> {
        let user = call.text("userid");
        if !self.access.users.contains_key(&user) {
            return Err(Fail::die(format!("no such user ('{user}')")));
        }
        if call.is_root() {
            return Ok(());
        }
        if user == "root@pam" {
            return Err(Fail::denied_bare());
        }
        match call.optional(parameter) {
            None => Err(Fail::param(
                parameter,
                "password is required to modify user",
            )),
            Some(own) if self.password_is(call.user(), &own) => Ok(()),
            Some(_) => Err(Fail::api(401, "authentication failure\n", true)),
        }
    }
}

fn change(world: &mut World, call: &mut Call<'_>) -> Answer {
    let (user, password) = (call.text("userid"), call.text("password"));
    world.confirm(call, "confirmation-password")?;
    let realm = user.rsplit('@').next().unwrap_or_default();
    if !call.is_root() && user != call.identity && realm == "pam" {
        return Err(Fail::denied_bare());
    }
    if !world.access.realms.contains_key(realm) {
        return Err(Fail::die(format!("auth domain '{realm}' does not exist")));
    }
    world.set_password(&user, &password);
    world.log_event("root@pam", &format!("changed password for user '{user}'"));
    Ok(Value::Null)
}
