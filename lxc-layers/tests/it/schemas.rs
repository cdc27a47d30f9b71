//! The schemas against the parser: what it takes they take, and what they refuse it refuses.

use boon::{Compiler, SchemaIndex, Schemas};
use lxc_layers::plan;
use lxc_layers::resolve::resolve;
use lxc_layers::spec::Tree;
use lxc_layers::spec::keys::{self, File, Key, Kind, Shape, TABLE};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use crate::fleets::{FLEET, desired, tree};
use crate::model::{apply, empty};
use crate::properties::{fleet_of, written};

/// What an editor says of a document.
struct Judge {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Judge {
    fn new(file: File) -> Self {
        Self::of(keys::schema(file))
    }

    fn of(schema: Value) -> Self {
        let mut schemas = Schemas::new();
        let mut compiler = Compiler::new();
        compiler.add_resource("schema", schema).unwrap();
        let index = compiler.compile("schema", &mut schemas).unwrap();
        Self { schemas, index }
    }

    fn takes(&self, document: &Value) -> bool {
        self.schemas.validate(document, self.index).is_ok()
    }
}

/// TOML as an editor's schema sees it.
fn as_json(text: &str) -> Value {
    serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap()
}

/// A fleet in which every name that the values of these tests mention is there.
fn fleet_with(path: &str, text: &str) -> Tree {
    let neighbours = [
        ("containers/db/config.env", "ID=198\n"),
        ("containers/cache/config.env", "ID=199\n"),
        ("fleet.toml", FLEET),
    ];
    let mut texts: Vec<(&str, &str)> = vec![(path, text)];
    texts.extend(neighbours.iter().filter(|(other, _)| *other != path));
    let secrets = "FINGERPRINT_KEY=0123456789abcdef\nDB_PASSWORD=x\n";
    texts.push(("secrets.local.env", secrets));
    let mut whole = tree(&texts);
    if let Some(secrets) = whole.texts.get_mut("secrets.local.env") {
        secrets.mode = 0o600;
    }
    if let Some(connection) = whole.texts.get_mut("fleet.local.toml") {
        connection.mode = 0o600;
    }
    let folder = "containers/web";
    for (file, executable) in [
        ("apply.sh", true),
        ("playbook.yml", false),
        ("recipes/default.rb", false),
        ("recipes/tls.rb", false),
    ] {
        if path.starts_with(folder) {
            whole = whole.with_input(&format!("{folder}/{file}"), "x\n", executable);
        }
    }
    whole
}

/// Whether the parser, container-init behind it included, takes this document; in words if not.
fn parser(path: &str, text: &str) -> Result<(), String> {
    let resolved = resolve(&fleet_with(path, text));
    let errors: Vec<String> = resolved
        .diagnostics
        .iter()
        .filter(|it| it.is_error())
        .map(ToString::to_string)
        .collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors.join("\n"))
    }
}

/// A `container.toml` of these keys, right in all else.
fn container(pairs: &[(String, Value)]) -> String {
    let mut table = Map::new();
    table.insert("id".to_owned(), json!(150));
    table.extend(pairs.iter().cloned());
    toml::to_string(&Value::Object(table)).unwrap()
}

/// What the keys take besides what others write: words, numbers and bits of their grammar.
fn texts() -> Vec<String> {
    let words = "yes no true OFF 0 1 2 16 17 99 100 150 512 8192 8193 4095 1G 512M 64K 1.5 0.5 -1 +5 1e3 auto none dhcp \
        manual local local-lvm vmbr0 lab web web.lan a_b Web x.y .x -x é ${GREETING} $${x ${ ${nobody} 10.0.0.7 10.0.0.7/24 10.0.0.7/33 \
        10.0.0.7/+8 fd00::1 1:2 order=1 order=+1 up=5 down=x nesting nesting=2 fuse=1 mount=nfs+cifs mount=1 mount \
        http:80/ http:0 tcp:22 unit:nginx unit:-x tcp:x local:1:/a 8:/a local:vm-1-disk-0:/b /srv:/c:ro /srv:/c:quota /dev/fuse \
        /dev/fuse:mode=0660 /dev/fuse:mode=660 /srv relative vmbr1:dhcp vmbr1:10.9.0.4/16:vlan=7 vmbr1:10.9.0.4 A=1 A= a=1 B=${GREETING} \
        DB_PASSWORD db cache nobody ansible cinc script chef privileged web::tls recipe[web] debian-12 local:vztmpl/d.tar.zst \
        local:iso/d.iso https://x.example/d.tar.zst";
    let mut all: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    all.extend(["", " ", " x", "x ", "a b", "a,b"].map(str::to_owned));
    all.push(format!(
        "https://x.example/d.tar.zst#sha256={}",
        "a".repeat(64)
    ));
    all.extend(
        TABLE
            .iter()
            .map(|row| row.example.trim_matches('"').to_owned()),
    );
    all.extend(
        TABLE
            .iter()
            .flat_map(|row| row.example.split(',').map(str::to_owned)),
    );
    all
}

fn scalar() -> impl Strategy<Value = Value> {
    let edges = TABLE.iter().filter_map(|row| match row.kind {
        Kind::Number { least, most }
        | Kind::Size { least, most }
        | Kind::Decimal { least, most } => Some([
            i64::from(least) - 1,
            i64::from(least),
            i64::from(most),
            i64::from(most) + 1,
        ]),
        _ => None,
    });
    let numbers: Vec<i64> = edges.flatten().chain([-7, 0, 1, 5, 80]).collect();
    prop_oneof![
        4 => select(texts()).prop_map(Value::from),
        2 => select(numbers).prop_map(Value::from),
        1 => select(vec![0.5, 1.0, 2.25, 8193.0, -0.5]).prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
    ]
}

/// A table with names of parts, of features, of variables.
fn table() -> impl Strategy<Value = Value> {
    let parts = TABLE
        .iter()
        .flat_map(|row| keys::parts(row.key))
        .map(|part| part.name);
    let mut names: Vec<&str> = parts.collect();
    names.extend([
        "nesting", "fuse", "mount", "order", "up", "A", "B_2", "a", "unknown",
    ]);
    prop::collection::vec((select(names), scalar()), 0..4).prop_map(|pairs| {
        let pairs = pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        Value::Object(pairs.collect())
    })
}

fn value() -> impl Strategy<Value = Value> {
    let item = prop_oneof![4 => scalar(), 1 => table()];
    prop_oneof![
        4 => scalar(),
        3 => prop::collection::vec(item, 0..3).prop_map(Value::from),
        2 => table(),
    ]
}

/// A key, now and then one that there is not.
fn key() -> impl Strategy<Value = String> {
    let mut names: Vec<String> = TABLE
        .iter()
        .map(|row| row.name.to_ascii_lowercase())
        .collect();
    names.extend(["shared", "memroy", "Memory"].map(str::to_owned));
    select(names)
}

#[track_caller]
fn agree(judge: &Judge, path: &str, text: &str) -> Result<(), TestCaseError> {
    let parser = parser(path, text);
    let schema = judge.takes(&as_json(text));
    prop_assert!(
        schema || parser.is_err(),
        "the parser takes this and the schema does not:\n{text}"
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_the_schema_of_a_container_refuses_the_parser_refuses(pairs in prop::collection::vec((key(), value()), 1..3)) {
        thread_local!(static JUDGE: Judge = Judge::new(File::Container));
        let text = container(&pairs);
        JUDGE.with(|judge| agree(judge, "containers/web/container.toml", &text))?;
    }

    #[test]
    fn what_the_schema_of_a_fleet_refuses_the_parser_refuses(
        section in select(vec!["id", "defaults", "network", "policies", "vars", "program", "url"]),
        name in key(),
        other in select(vec!["subnet", "gateway", "vmids", "reboot", "version", "sha256", "A", "b"]),
        value in value(),
    ) {
        thread_local!(static JUDGE: Judge = Judge::new(File::Fleet));
        let mut fleet = as_json(FLEET);
        match section {
            "id" | "url" => fleet[section] = value,
            "defaults" => fleet[section][name] = value,
            _ => fleet[section][other] = value,
        }
        let text = toml::to_string(&fleet).unwrap();
        JUDGE.with(|judge| agree(judge, "fleet.toml", &text))?;
    }
}

/// A value that every schema should refuse, so that an editor shows it.
fn wrong(kind: Kind) -> Vec<Value> {
    match kind {
        Kind::Number { least, most } | Kind::Size { least, most } => vec![
            json!(i64::from(most) + 1),
            json!(i64::from(least) - 1),
            json!("many"),
            json!([1]),
            json!(true),
        ],
        Kind::Decimal { most, .. } => vec![json!(i64::from(most) + 1), json!(-1), json!("some")],
        Kind::YesNo => vec![json!("maybe"), json!(2), json!([true])],
        Kind::Words(_) => vec![json!("other"), json!(1)],
        Kind::Text => vec![json!(["x"]), json!({"x": 1})],
        Kind::Item | Kind::Container => vec![json!(" x"), json!("")],
        Kind::Name | Kind::Host | Kind::Tag => vec![json!("a b"), json!(""), json!("é")],
        Kind::Template => vec![
            json!("local:iso/x.iso"),
            json!("https://x.example/x.tar.zst"),
        ],
        Kind::Startup => vec![json!("order"), json!("first=1")],
        Kind::Disk => vec![json!("8X"), json!(0), json!("local:")],
        Kind::Mount => vec![
            json!("word"),
            json!("/srv"),
            json!("local:8:/x:rw2"),
            json!({"size": 8}),
        ],
        Kind::Device => vec![
            json!("ttyUSB0"),
            json!("/dev/x:mode=999"),
            json!({"mode": "0660"}),
        ],
        Kind::Feature => vec![json!("nest"), json!("nesting=2")],
        Kind::Address => vec![json!("10.0.0"), json!("fd00::1"), json!(10)],
        Kind::Gateway | Kind::Server => vec![json!("router"), json!(1)],
        Kind::Nic => vec![
            json!("vmbr1"),
            json!("vmbr1:10.0.0.9"),
            json!({"bridge": "vmbr1"}),
        ],
        Kind::Gate => vec![json!("80"), json!("udp:80"), json!("unit:")],
        Kind::Assignment => vec![json!("a=1"), json!("A")],
        Kind::Variable => vec![json!("lower"), json!("1X")],
    }
}

#[test]
fn what_is_wrong_is_refused_by_schema_and_parser_for_every_key() {
    let judge = Judge::new(File::Container);
    for row in &TABLE {
        for value in wrong(row.kind) {
            let value = match row.shape {
                Shape::List => json!([value]),
                Shape::Scalar => value,
            };
            let text = container(&[(row.name.to_ascii_lowercase(), value)]);
            assert!(!judge.takes(&as_json(&text)), "the schema takes {text}");
            assert!(
                parser("containers/web/container.toml", &text).is_err(),
                "the parser takes {text}"
            );
        }
    }
}

#[test]
fn the_bounds_of_the_table_are_those_of_the_parser() {
    for row in &TABLE {
        let (Kind::Number { least, most }
        | Kind::Size { least, most }
        | Kind::Decimal { least, most }) = row.kind
        else {
            continue;
        };
        for (number, right) in [(least, true), (most, true), (most + 1, false)] {
            // Numbers beyond the fleet's own range are another matter.
            let anywhere = FLEET
                .replace("vmids = \"100-199\"\n", "")
                .replace("10.0.0.0/24", "10.0.0.0/8");
            let mut tree = fleet_with(
                "containers/web/container.toml",
                &container(&[(row.name.to_ascii_lowercase(), json!(number))]),
            );
            let fleet = Tree::of_texts([("fleet.toml", anywhere.as_str())]);
            tree.texts.extend(fleet.texts);
            let errors: Vec<String> = resolve(&tree)
                .diagnostics
                .iter()
                .filter(|it| it.code == "bad-value")
                .map(ToString::to_string)
                .collect();
            assert_eq!(
                errors.is_empty(),
                right,
                "{}={number}: {errors:?}",
                row.name
            );
        }
    }
}

#[test]
fn every_example_is_right_in_each_file_it_may_stand_in() {
    let (container_judge, fleet_judge) = (Judge::new(File::Container), Judge::new(File::Fleet));
    for it in keys::all() {
        for example in &it.examples {
            let (path, text) = match example.file.as_str() {
                "config.env" if it.key == "ID" => {
                    ("containers/web/config.env", example.text.clone())
                }
                "config.env" => (
                    "containers/web/config.env",
                    format!("ID=150\n{}\n", example.text),
                ),
                "container.toml" if it.key == "ID" => {
                    ("containers/web/container.toml", example.text.clone())
                }
                _ if example.file.starts_with("container.toml") => (
                    "containers/web/container.toml",
                    format!("id = 150\n{}\n", example.text),
                ),
                "fleet.toml" if it.key == "fleet.id" => (
                    "fleet.toml",
                    FLEET.replace("id = \"fleet-0123456789\"", &example.text),
                ),
                "fleet.toml" => ("fleet.toml", with_section(&example.text)),
                _ => ("fleet.local.toml", example.text.clone()),
            };
            let consented = text.replace(
                "ID=150\nUNPRIVILEGED=no",
                "ID=150\nCONSENT=privileged\nUNPRIVILEGED=no",
            );
            assert_eq!(parser(path, &consented), Ok(()), "{path}:\n{consented}");
            match path {
                "containers/web/container.toml" => {
                    assert!(container_judge.takes(&as_json(&text)), "{text}")
                }
                "fleet.toml" => assert!(fleet_judge.takes(&as_json(&text)), "{text}"),
                _ => {}
            }
        }
    }
}

/// The fleet's own file with one line more, or another value for a line that it has.
fn with_section(example: &str) -> String {
    let mut fleet = as_json(FLEET);
    for (table, values) in as_json(example).as_object().unwrap() {
        for (name, value) in values.as_object().unwrap() {
            if name != "vmids" {
                fleet[table][name] = value.clone();
            }
        }
    }
    toml::to_string(&fleet).unwrap()
}

#[test]
fn the_example_fleet_and_the_files_of_this_machine_pass() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/fleet");
    for (file, path) in [
        (File::Container, "containers/metrics/container.toml"),
        (File::Fleet, "fleet.toml"),
    ] {
        let text = std::fs::read_to_string(root.join(path)).unwrap();
        assert!(Judge::new(file).takes(&as_json(&text)), "{path}");
    }
    let local = Judge::new(File::Connection);
    assert!(local.takes(&json!({"url": "https://pve1:8006", "token_file": "token.local.txt"})));
    assert!(!local.takes(&json!({"token": "root@pam!ci=x"})));
}

/// The same schema with no room for a field that it does not name.
fn closed(mut schema: Value) -> Value {
    fn close(schema: &mut Value) {
        match schema {
            Value::Object(map) => {
                map.values_mut().for_each(close);
                // What a template, a tool or a marker holds besides is its own affair.
                let tagged = |map: &Map<String, Value>| {
                    ["by", "tool"]
                        .iter()
                        .any(|tag| map["properties"].get(tag).is_some())
                };
                if map.get("properties").is_some_and(Value::is_object) && !tagged(map) {
                    map.insert("additionalProperties".to_owned(), Value::from(false));
                }
            }
            Value::Array(items) => items.iter_mut().for_each(close),
            _ => {}
        }
    }
    close(&mut schema);
    schema
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_plan_is_as_its_schema_describes_it_and_says_nothing_else(
        before in prop::collection::vec(written(), 1..4),
        after in prop::collection::vec(written(), 1..4),
    ) {
        thread_local!(static JUDGE: Judge = Judge::of(closed(plan::schema())));
        let mut observed = empty();
        let first = plan::plan(&desired(&fleet_of(&before)), &observed);
        apply(&first, &mut observed);
        let second = plan::plan(&desired(&fleet_of(&after)), &observed);
        for plan in [first, second] {
            let document = plan.to_json();
            let verdict = JUDGE.with(|judge| judge.schemas.validate(&document, judge.index).map_err(|error| error.to_string()));
            prop_assert!(verdict.is_ok(), "{}\n{document:#}", verdict.unwrap_err());
        }
    }
}

#[test]
fn a_schema_says_what_each_key_means() {
    let schema = keys::schema(File::Container);
    for row in &TABLE {
        let description =
            schema["properties"][row.name.to_ascii_lowercase()]["description"].as_str();
        assert!(
            description.is_some_and(|text| text.starts_with(row.meaning)),
            "{}",
            row.name
        );
    }
    assert_eq!(Key::Mount.row().alias, Some("SHARED"));
    assert_eq!(
        schema["properties"]["shared"],
        schema["properties"]["mount"]
    );
}

#[test]
fn a_table_that_stands_for_an_item_says_all_that_it_must() {
    let path = "containers/web/container.toml";
    for (key, item) in [
        ("mount", json!({"size": 8})),
        ("mount", json!({"target": "/x"})),
        (
            "mount",
            json!({"folder": "/srv", "size": 8, "target": "/x"}),
        ),
        ("mount", json!({"size": 8, "target": "/x:ro"})),
        (
            "mount",
            json!({"size": 8, "target": "/x", "readonly": "true"}),
        ),
        ("nic", json!({"bridge": true, "address": "dhcp"})),
        ("device", json!({"uid": 1})),
    ] {
        let text = container(&[(key.to_owned(), json!([item]))]);
        assert!(parser(path, &text).is_err(), "{text}");
    }
    let whole = json!({"folder": "/srv", "target": "/x", "readonly": true, "backup": true});
    assert_eq!(
        parser(path, &container(&[("mount".to_owned(), json!([whole]))])),
        Ok(())
    );
}
