//! What an access token may be used for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The nine areas of the API that a token can be let into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// Federation.
    ActivityPub,
    /// Site administration.
    Admin,
    /// Rendering and the like; nothing asks for it.
    Misc,
    /// Notifications.
    Notification,
    /// Organisations and teams.
    Organization,
    /// Packages.
    Package,
    /// Issues, comments, labels and milestones.
    Issue,
    /// Repositories with all that is in them.
    Repository,
    /// The caller's own account, and other users.
    User,
}

/// All categories in the order in which scopes are written.
pub const CATEGORIES: [Category; 9] = [
    Category::ActivityPub,
    Category::Admin,
    Category::Misc,
    Category::Notification,
    Category::Organization,
    Category::Package,
    Category::Issue,
    Category::Repository,
    Category::User,
];

impl Category {
    /// The word after `read:` or `write:`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::ActivityPub => "activitypub",
            Self::Admin => "admin",
            Self::Misc => "misc",
            Self::Notification => "notification",
            Self::Organization => "organization",
            Self::Package => "package",
            Self::Issue => "issue",
            Self::Repository => "repository",
            Self::User => "user",
        }
    }
}

/// How far a token may go in one category.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Level {
    /// Not at all.
    #[default]
    None,
    /// GET only.
    Read,
    /// Everything.
    Write,
}

/// The scopes of a token, normalised.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scopes {
    levels: [Level; 9],
    /// Nothing that is not public.
    pub public_only: bool,
    /// The words in the order in which the token's maker gave them, as error texts show them.
    written: String,
}

impl Scopes {
    /// Every category, for writing.
    #[must_use]
    pub fn all() -> Self {
        Self {
            levels: [Level::Write; 9],
            public_only: false,
            written: "all".into(),
        }
    }

    /// Reads scopes as a token's maker names them; each text may hold several with commas.
    ///
    /// # Errors
    /// The API's text for what cannot be read, or for nothing at all.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut scopes = Self::default();
        let mut any = false;
        for word in words
            .into_iter()
            .flat_map(|text| text.split(','))
            .filter(|word| !word.is_empty())
        {
            any = true;
            scopes.add(word)?;
        }
        if !any {
            return Err("access token must have a scope".into());
        }
        scopes.written = scopes.words().join(",");
        Ok(scopes)
    }

    fn add(&mut self, word: &str) -> Result<(), String> {
        match word {
            "all" => self.levels = [Level::Write; 9],
            "public-only" => self.public_only = true,
            _ => {
                let level = match word.split_once(':') {
                    Some(("read", _)) => Level::Read,
                    Some(("write", _)) => Level::Write,
                    _ => return Err(unknown(word)),
                };
                let place = CATEGORIES
                    .iter()
                    .position(|category| word.ends_with(&format!(":{}", category.word())));
                let place = place.filter(|place| {
                    word.split_once(':')
                        .is_some_and(|(_, rest)| rest == CATEGORIES[*place].word())
                });
                let Some(place) = place else {
                    return Err(unknown(word));
                };
                self.levels[place] = self.levels[place].max(level);
            }
        }
        Ok(())
    }

    /// The level in one category.
    #[must_use]
    pub fn level(&self, category: Category) -> Level {
        CATEGORIES
            .iter()
            .position(|have| *have == category)
            .map_or(Level::None, |place| self.levels[place])
    }

    /// The scopes as the API lists them.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if self.public_only {
            words.push("public-only".to_owned());
        }
        if self.levels.iter().all(|level| *level == Level::Write) {
            words.push("all".to_owned());
            return words;
        }
        for (category, level) in CATEGORIES.iter().zip(self.levels) {
            match level {
                Level::None => {}
                Level::Read => words.push(format!("read:{}", category.word())),
                Level::Write => words.push(format!("write:{}", category.word())),
            }
        }
        words
    }

    /// Whether all of these categories are open at this level.
    #[must_use]
    pub fn covers(&self, categories: &[Category], level: Level) -> bool {
        categories
            .iter()
            .all(|category| self.level(*category) >= level)
    }

    /// The text of the 403 for a token that does not cover what is needed.
    #[must_use]
    pub fn missing(&self, categories: &[Category], level: Level) -> String {
        let verb = if level == Level::Write {
            "write"
        } else {
            "read"
        };
        let needed: Vec<String> = categories
            .iter()
            .map(|category| format!("{verb}:{}", category.word()))
            .collect();
        format!(
            "token does not have at least one of required scope(s), required=[{}], token scope={self}",
            needed.join(" ")
        )
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

fn unknown(word: &str) -> String {
    format!("invalid access token scope provided: invalid access token scope: {word}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_normalised() {
        let parse =
            |words: &[&str]| Scopes::parse(words.iter().copied()).map(|scopes| scopes.words());
        assert_eq!(
            parse(&["write:user", "read:user", "read:issue"]),
            Ok(vec!["read:issue".into(), "write:user".into()])
        );
        assert_eq!(
            parse(&["read:user,all", "public-only"]),
            Ok(vec!["public-only".into(), "all".into()])
        );
        assert!(
            parse(&[]).is_err()
                && parse(&["Read:user"]).is_err()
                && parse(&["read:users"]).is_err()
        );
    }
}
