//! A patch, such as `git diff` writes one, applied and committed.

use super::commit::{allow, answer, finish, protected, target};
use crate::gitea::api::commits::broken;
use crate::gitea::bind::bind;
use crate::gitea::git::Patched;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::scene::Scene;
use crate::gitea::world::World;

/// The message of a patch that came without one.
const MESSAGE: &str = "apply-patch";

pub(super) fn apply(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &super::PATCH)?;
    allow(world, scene)?;
    let target = target(world, scene, &body)?;
    let base = target.base.clone().ok_or_else(|| {
        let text = format!(
            "branch does not exist [repo_id: {} name: {}]",
            scene.repo, target.branch
        );
        Reply::error(404, text)
    })?;
    let before = scene.git.commit(scene.repo, &base).map_err(broken(scene))?;
    let patch = body.text_or_empty("content");
    let patched = scene.git.apply(scene.repo, &before.tree, patch.as_bytes());
    let tree = match patched.map_err(broken(scene))? {
        Patched::Tree(tree) => tree,
        Patched::Refused(words) => {
            return Err(Reply::error(422, format!("git apply error: {words}")));
        }
    };
    let changed = scene.git.changed_between(scene.repo, &before.tree, &tree);
    protected(world, scene, &target, &changed.map_err(broken(scene))?)?;
    let message = body.text("message").map_or("", str::trim);
    let message = if message.is_empty() { MESSAGE } else { message };
    let commit = finish(world, scene, &body, &target, tree, message)?;
    let mut whole = answer(world, scene, &commit)?;
    whole["content"] = serde_json::Value::Null;
    Ok(Reply::created(whole))
}
