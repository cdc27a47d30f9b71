//! Changing passwords.

use serde_json::Value;

use super::World;
use super::reply::Fail;
use super::route::{Answer, Call, Handler};

pub(crate) fn handler(method: &str, path: &str) -> Option<Handler> {
    matches!((method, path), ("PUT", "/access/password")).then_some(change as Handler)
}

fn change(world: &mut World, call: &mut Call<'_>) -> Answer {
    let (user, password) = (call.text("userid"), call.text("password"));
    // Whoever changes a password confirms it with the own one.
    let confirmation = call.optional("confirmation-password");
    let confirmed = confirmation.map_or(call.is_root(), |own| world.password_is(call.user(), &own));
    if !confirmed {
        return Err(Fail::api(401, "authentication failure\n", true));
    }
    if !world.access.users.contains_key(&user) {
        return Err(Fail::die(format!("no such user ('{user}')")));
    }
    let realm = user.rsplit('@').next().unwrap_or_default();
    if !world.access.realms.contains_key(realm) {
        return Err(Fail::die(format!("domain '{realm}' does not exist")));
    }
    if user == "root@pam" && !call.is_root() {
        return Err(Fail::denied("only root can change root password"));
    }
    world.set_password(&user, &password);
    Ok(Value::Null)
}
