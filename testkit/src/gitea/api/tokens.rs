//! Access tokens of users.

use serde_json::{Value, json};

use crate::gitea::bind::{Kind, Rule, Schema, bind, of, ruled};
use crate::gitea::clock::{ZERO, rfc3339};
use crate::gitea::page::Page;
use crate::gitea::password::token_digest;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::scope::{Category, Scopes};
use crate::gitea::world::{Token, World};

const USER: &[&[Category]] = &[&[Category::User]];
const NEEDS: &[Need] = &[Need::SelfOrAdmin, Need::BasicAuth];

pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/users/{username}/tokens",
        place: Place::User,
        scopes: USER,
        needs: NEEDS,
        run: Run::Read(list),
    },
    Route {
        method: "POST",
        path: "/users/{username}/tokens",
        place: Place::User,
        scopes: USER,
        needs: NEEDS,
        run: Run::Write(create),
    },
    Route {
        method: "DELETE",
        path: "/users/{username}/tokens/{id}",
        place: Place::User,
        scopes: USER,
        needs: NEEDS,
        run: Run::Write(delete),
    },
];

fn view(token: &Token, secret: &str, is_new: bool) -> Value {
    let time = |seconds| {
        if is_new {
            ZERO.to_owned()
        } else {
            rfc3339(seconds)
        }
    };
    json!({
        "id": token.id,
        "name": token.name,
        "sha1": secret,
        "token_last_eight": token.last_eight,
        "scopes": token.scopes.words(),
        "created_at": time(token.created),
        "last_used_at": time(token.used),
    })
}

fn list(world: &World, scene: &Scene<'_>) -> Answer {
    let mut tokens: Vec<&Token> = world
        .tokens
        .of(scene.owner)
        .map(|(_, token)| token)
        .collect();
    tokens.sort_by_key(|token| (std::cmp::Reverse(token.created), token.id));
    let page = Page::of(scene.call, &world.settings);
    let shown: Vec<Value> = page
        .slice(&tokens)
        .iter()
        .map(|token| view(token, "", false))
        .collect();
    Ok(Reply::ok(Value::Array(shown)).with_header("x-total-count", tokens.len().to_string()))
}

static CREATE: Schema = Schema {
    name: "CreateAccessTokenOption",
    fields: &[
        ruled("name", "Name", &[Rule::Required]),
        of("scopes", "Scopes", Kind::Texts),
    ],
};

fn create(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &CREATE)?;
    let name = body.text_or_empty("name").to_owned();
    if world
        .tokens
        .of(scene.owner)
        .any(|(_, token)| token.name == name)
    {
        return Err(Reply::error(400, "access token name has been used already"));
    }
    let words = body.texts("scopes").unwrap_or_default();
    let scopes =
        Scopes::parse(words.iter().map(String::as_str)).map_err(|text| Reply::error(400, text))?;
    let secret = add(world, scene.owner, &name, scopes);
    let id = world
        .tokens
        .find_id(&token_digest(&secret))
        .unwrap_or_default();
    let token = world.tokens.get(id).ok_or_else(Reply::not_found)?;
    Ok(Reply::created(view(token, &secret, true)))
}

/// Adds a token and answers it; afterwards nobody can.
pub(crate) fn add(world: &mut World, user: i64, name: &str, scopes: Scopes) -> String {
    let secret = world.random.hex(40);
    let (now, last_eight) = (world.now(), secret[32..].to_owned());
    let row = |id| Token {
        id,
        user,
        name: name.to_owned(),
        sha256: token_digest(&secret),
        last_eight,
        scopes,
        created: now,
        used: now,
    };
    world.tokens.insert(row);
    secret
}

fn delete(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let given = scene.call.param("id");
    let own = |token: &Token| match given.parse::<i64>() {
        Ok(id) => token.id == id,
        Err(_) => token.name == given,
    };
    let id = world
        .tokens
        .of(scene.owner)
        .find(|(_, token)| own(token))
        .map(|(id, _)| id)
        .ok_or_else(Reply::not_found)?;
    world.tokens.remove(id);
    Ok(Reply::no_content())
}
