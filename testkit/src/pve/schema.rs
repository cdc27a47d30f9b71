//! The published API schema: which endpoints exist, their parameters and their permissions.
//!
//! One endpoint stands on one line of the files, so that starting means to index lines; a line is
//! parsed when its endpoint is first called.

use std::collections::HashMap;
use std::sync::OnceLock;

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

use super::Version;
use super::route::Handler;

static PVE_8: OnceLock<Schema> = OnceLock::new();
static PVE_9: OnceLock<Schema> = OnceLock::new();
const TEXT_8: &str = include_str!("../../fixtures/schemas/pve-api-8.4.json");
const TEXT_9: &str = include_str!("../../fixtures/schemas/pve-api.json");

/// All endpoints of one version.
#[derive(Debug)]
pub(crate) struct Schema {
    slots: Vec<Slot>,
    tree: Vec<Branch>,
    formats: OnceLock<HashMap<String, IndexMap<String, Property>>>,
    text: &'static str,
}

/// One endpoint of the schema.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) handler: Option<Handler>,
    line: &'static str,
    parsed: OnceLock<Endpoint>,
}

/// What the schema says of an endpoint.
#[derive(Debug, Deserialize)]
pub(crate) struct Endpoint {
    pub(crate) parameters: IndexMap<String, Property>,
    pub(crate) permissions: Value,
    #[serde(default)]
    pub(crate) allowtoken: bool,
    pub(crate) proxyto: Option<String>,
    #[serde(default)]
    returns: Value,
}

/// The schema of one parameter, or of one key of a property string.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Property {
    #[serde(rename = "type", default)]
    pub(crate) kind: Option<String>,
    #[serde(default)]
    optional: Value,
    #[serde(default)]
    pub(crate) format: Option<Format>,
    #[serde(default)]
    pub(crate) minimum: Option<f64>,
    #[serde(default)]
    pub(crate) maximum: Option<f64>,
    #[serde(rename = "minLength", default)]
    pub(crate) min_length: Option<usize>,
    #[serde(rename = "maxLength", default)]
    pub(crate) max_length: Option<usize>,
    #[serde(default)]
    pub(crate) pattern: Option<String>,
    #[serde(rename = "enum", default)]
    pub(crate) values: Option<Vec<Value>>,
    #[serde(default)]
    pub(crate) requires: Option<String>,
    #[serde(default)]
    default_key: Value,
    #[serde(default)]
    pub(crate) alias: Option<String>,
    #[serde(rename = "keyAlias", default)]
    pub(crate) key_alias: Option<String>,
    #[serde(rename = "maxIndex", default)]
    max_index: Option<u32>,
}

/// A named format, or the keys of a property string.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Format {
    Name(String),
    Keys(IndexMap<String, Property>),
}

#[derive(Debug, Default)]
struct Branch {
    literals: HashMap<&'static str, usize>,
    variable: Option<(&'static str, usize)>,
    slots: Vec<usize>,
}

/// An endpoint that a path leads to, with what its placeholders matched.
pub(crate) struct Found<'a> {
    pub(crate) slot: &'a Slot,
    pub(crate) variables: Vec<(&'static str, String)>,
}

impl Property {
    pub(crate) fn is_optional(&self) -> bool {
        truthy(&self.optional)
    }

    pub(crate) fn is_default_key(&self) -> bool {
        truthy(&self.default_key)
    }
}

fn truthy(value: &Value) -> bool {
    value.as_bool() == Some(true) || value.as_i64() == Some(1)
}

impl Endpoint {
    /// The schema of a parameter, families such as `net[n]` included.
    pub(crate) fn property(&self, name: &str) -> Option<&Property> {
        self.parameters.get(name).or_else(|| {
            let base = name.trim_end_matches(|c: char| c.is_ascii_digit());
            let digits = &name[base.len()..];
            if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
                return None;
            }
            let family = self.parameters.get(&format!("{base}[n]"))?;
            let index: u32 = digits.parse().ok()?;
            (index <= family.max_index.unwrap_or(u32::MAX)).then_some(family)
        })
    }

    /// The key under which an index lists its children, when this endpoint is one.
    pub(crate) fn index_key(&self) -> Option<&str> {
        let href = self.returns.pointer("/links/0/href")?.as_str()?;
        let key = href.strip_prefix('{')?.strip_suffix('}')?;
        matches!(key, "subdir" | "name" | "cmd" | "id" | "method").then_some(key)
    }
}

impl Slot {
    pub(crate) fn endpoint(&self) -> &Endpoint {
        self.parsed.get_or_init(|| {
            serde_json::from_str(self.line)
                .expect("the schema file is valid, a test parses every line")
        })
    }
}

impl Schema {
    pub(crate) fn of(version: Version) -> &'static Self {
        match version {
            Version::V8_4 => PVE_8.get_or_init(|| Self::index(TEXT_8)),
            Version::V9_2 => PVE_9.get_or_init(|| Self::index(TEXT_9)),
        }
    }

    fn index(text: &'static str) -> Self {
        let mut schema = Self {
            slots: Vec::with_capacity(700),
            tree: vec![Branch::default()],
            formats: OnceLock::new(),
            text,
        };
        for line in text
            .lines()
            .filter(|line| line.starts_with("{\"additionalProperties\""))
        {
            let (Some(method), Some(path)) = (
                word(line, ",\"method\":\"", false),
                word(line, ",\"path\":\"", true),
            ) else {
                continue;
            };
            schema.add(method, path, line.trim_end_matches(','));
        }
        schema
    }

    fn add(&mut self, method: &'static str, path: &'static str, line: &'static str) {
        let mut at = 0;
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            at = self.branch(at, segment);
        }
        self.tree[at].slots.push(self.slots.len());
        let handler = super::route::handler(method, path);
        self.slots.push(Slot {
            method,
            path,
            handler,
            line,
            parsed: OnceLock::new(),
        });
    }

    fn branch(&mut self, at: usize, segment: &'static str) -> usize {
        let fresh = self.tree.len();
        let variable = segment
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        let found = match variable {
            Some(name) => self.tree[at].variable.get_or_insert((name, fresh)).1,
            None => *self.tree[at].literals.entry(segment).or_insert(fresh),
        };
        if found == fresh {
            self.tree.push(Branch::default());
        }
        found
    }

    /// The endpoint of a decoded path; `Err` where there is none for the method.
    pub(crate) fn find(&self, method: &str, path: &str) -> Option<Found<'_>> {
        let segments: Vec<&str> = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .collect();
        let mut variables = Vec::new();
        let mut at = 0;
        let mut rest = segments.as_slice();
        while let Some((segment, tail)) = rest.split_first() {
            if let Some(next) = self.tree[at].literals.get(segment) {
                at = *next;
                rest = tail;
                continue;
            }
            let (name, next) = self.tree[at].variable?;
            at = next;
            // Volume ids hold slashes and swallow the rest of the path.
            if matches!(name, "volume" | "cidr") && self.tree[at].literals.is_empty() {
                variables.push((name, rest.join("/")));
                break;
            }
            variables.push((name, (*segment).to_owned()));
            rest = tail;
        }
        let slot = self.tree[at]
            .slots
            .iter()
            .map(|slot| &self.slots[*slot])
            .find(|slot| slot.method == method)?;
        Some(Found { slot, variables })
    }

    /// The literal children of a path, for index endpoints.
    pub(crate) fn children(&self, template: &str) -> Vec<&'static str> {
        let mut at = 0;
        for segment in template.split('/').filter(|segment| !segment.is_empty()) {
            let branch = &self.tree[at];
            let next = if segment.starts_with('{') {
                branch.variable.map(|(_, next)| next)
            } else {
                branch.literals.get(segment).copied()
            };
            let Some(next) = next else { return Vec::new() };
            at = next;
        }
        let mut names: Vec<_> = self.tree[at].literals.keys().copied().collect();
        names.sort_unstable();
        names
    }

    /// The keys of a named property string.
    pub(crate) fn named_format(&self, name: &str) -> Option<&IndexMap<String, Property>> {
        let formats = self.formats.get_or_init(|| {
            let marker = "\n\"formats\":";
            let from = self.text.find(marker).map_or(0, |at| at + marker.len());
            let mut reader = serde_json::Deserializer::from_str(&self.text[from..]).into_iter();
            reader.next().and_then(Result::ok).unwrap_or_default()
        });
        formats.get(name)
    }

    #[cfg(test)]
    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }
}

/// The text between a marker and the next quote.
fn word(line: &'static str, marker: &str, last: bool) -> Option<&'static str> {
    let at = if last {
        line.rfind(&format!("{marker}/"))?
    } else {
        line.find(marker)?
    } + marker.len();
    line[at..].split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_both_schemas_parses() {
        for (version, count) in [(Version::V8_4, 605), (Version::V9_2, 675)] {
            let schema = Schema::of(version);
            assert_eq!(schema.slots().len(), count);
            for slot in schema.slots() {
                slot.endpoint();
            }
            assert!(schema.named_format("prune-backups").is_some());
        }
    }

    #[test]
    fn a_volume_id_swallows_the_rest_of_the_path() {
        let found = Schema::of(Version::V8_4)
            .find("GET", "/nodes/a/storage/local/content/local:iso/a.iso")
            .unwrap();
        assert_eq!(found.variables[2], ("volume", "local:iso/a.iso".to_owned()));
    }

    #[test]
    fn a_family_has_a_highest_index() {
        let schema = Schema::of(Version::V8_4);
        let endpoint = schema
            .find("PUT", "/nodes/a/lxc/100/config")
            .unwrap()
            .slot
            .endpoint();
        assert!(endpoint.property("net31").is_some());
        assert!(endpoint.property("net32").is_none());
        assert!(endpoint.property("net01").is_none());
    }
}
