//! Files and labels that a new repository can start with.

use serde_json::{Value, json};

use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::world::World;

const GITIGNORES: [(&str, &str); 4] = [
    (
        "C",
        "# Objects and libraries\n*.o\n*.a\n*.so\n*.so.*\n\n# Programs\n*.out\n",
    ),
    (
        "Go",
        "# Programs and tests\n*.exe\n*.test\n*.out\n\n# Workspace\ngo.work\ngo.work.sum\n",
    ),
    (
        "Python",
        "# Compiled\n__pycache__/\n*.py[cod]\n\n# Environments and packages\n.venv/\nbuild/\ndist/\n*.egg-info/\n",
    ),
    (
        "Rust",
        "# Built by cargo\ndebug/\ntarget/\n\n# Left by rustfmt\n**/*.rs.bk\n",
    ),
];

const MIT: &str = "MIT License

Copyright (c) <year> <copyright holders>

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the \"Software\"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED \"AS IS\", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
";
const APACHE: &str = "Licensed under the Apache License, Version 2.0 (the \"License\"); you may not use this file except in compliance with the License. You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software distributed under the License is distributed on an \"AS IS\" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the License for the specific language governing permissions and limitations under the License.
";
const LICENSES: [(&str, &str); 2] = [("Apache-2.0", APACHE), ("MIT", MIT)];

type Label = (&'static str, &'static str, &'static str, bool);

const DEFAULT_LABELS: &[Label] = &[
    ("bug", "ee0701", "Something is not working", false),
    (
        "duplicate",
        "cccccc",
        "This issue or pull request already exists",
        false,
    ),
    ("enhancement", "84b6eb", "New feature", false),
    ("help wanted", "128a0c", "Need some help", false),
    ("invalid", "e6e6e6", "Something is wrong", false),
    ("question", "cc317c", "More information is needed", false),
    ("wontfix", "ffffff", "This won't be fixed", false),
];
const ADVANCED_LABELS: &[Label] = &[
    ("Kind/Bug", "ee0701", "Something is not working", false),
    ("Kind/Feature", "0288d1", "New functionality", false),
    ("Priority/High", "d32f2f", "The priority is high", true),
    ("Priority/Low", "4caf50", "The priority is low", true),
    (
        "Status/Blocked",
        "880e4f",
        "Something is blocking this issue or pull request",
        true,
    ),
];
const LABELS: [(&str, &[Label]); 2] = [("Advanced", ADVANCED_LABELS), ("Default", DEFAULT_LABELS)];

pub(crate) const ROUTES: &[Route] = &[
    get("/gitignore/templates", gitignores),
    get("/gitignore/templates/{name}", one_gitignore),
    get("/licenses", licenses),
    get("/licenses/{name}", one_license),
    get("/label/templates", labels),
    get("/label/templates/{name}", one_label_set),
    Route {
        method: "POST",
        path: "/markdown",
        place: Place::Nowhere,
        scopes: &[],
        needs: &[Need::SignedIn],
        run: Run::Read(markdown),
    },
    Route {
        method: "POST",
        path: "/markup",
        place: Place::Nowhere,
        scopes: &[],
        needs: &[Need::SignedIn],
        run: Run::Read(markdown),
    },
    Route {
        method: "POST",
        path: "/markdown/raw",
        place: Place::Nowhere,
        scopes: &[],
        needs: &[Need::SignedIn],
        run: Run::Read(markdown_raw),
    },
];

const fn get(path: &'static str, run: fn(&World, &Scene<'_>) -> Answer) -> Route {
    Route {
        method: "GET",
        path,
        place: Place::Nowhere,
        scopes: &[],
        needs: &[],
        run: Run::Read(run),
    }
}

fn found<T: Copy>(list: &[(&'static str, T)], name: &str) -> Option<T> {
    list.iter()
        .find(|(have, _)| *have == name)
        .map(|(_, value)| *value)
}

/// The text of a `.gitignore` for a language.
pub(crate) fn gitignore(name: &str) -> Option<&'static str> {
    found(&GITIGNORES, name)
}

/// The text of a licence.
pub(crate) fn license(name: &str) -> Option<&'static str> {
    found(&LICENSES, name)
}

fn gitignores(_: &World, _: &Scene<'_>) -> Answer {
    Ok(Reply::ok(
        GITIGNORES.iter().map(|(name, _)| *name).collect(),
    ))
}

fn one_gitignore(_: &World, scene: &Scene<'_>) -> Answer {
    let name = scene.call.param("name");
    let source = gitignore(name).ok_or_else(Reply::not_found)?;
    Ok(Reply::ok(json!({ "name": name, "source": source })))
}

fn licenses(_: &World, scene: &Scene<'_>) -> Answer {
    let view = |(name, _): &(&str, &str)| json!({ "key": name, "name": name, "url": format!("{}/api/v1/licenses/{name}", scene.call.base) });
    Ok(Reply::ok(LICENSES.iter().map(view).collect()))
}

fn one_license(_: &World, scene: &Scene<'_>) -> Answer {
    let name = scene.call.param("name");
    let body = license(name).ok_or_else(Reply::not_found)?;
    let how = "Create a text file (typically named LICENSE or LICENSE.txt) in the root of your source code and copy the text of the license into the file";
    let url = format!("{}/api/v1/licenses/{name}", scene.call.base);
    Ok(Reply::ok(
        json!({ "key": name, "name": name, "url": url, "implementation": how, "body": body }),
    ))
}

fn labels(_: &World, _: &Scene<'_>) -> Answer {
    Ok(Reply::ok(LABELS.iter().map(|(name, _)| *name).collect()))
}

fn one_label_set(_: &World, scene: &Scene<'_>) -> Answer {
    let set = found(&LABELS, scene.call.param("name")).ok_or_else(Reply::not_found)?;
    let view = |(name, color, description, exclusive): &Label| json!({ "name": name, "exclusive": exclusive, "color": color, "description": description });
    Ok(Reply::ok(set.iter().map(view).collect()))
}

fn markdown(_: &World, scene: &Scene<'_>) -> Answer {
    let body: Value = serde_json::from_slice(&scene.call.body).unwrap_or_default();
    Ok(rendered(
        body["Text"]
            .as_str()
            .or_else(|| body["text"].as_str())
            .unwrap_or_default(),
    ))
}

fn markdown_raw(_: &World, scene: &Scene<'_>) -> Answer {
    Ok(rendered(&String::from_utf8_lossy(&scene.call.body)))
}

/// Paragraphs with strong words and code; everything else is shown as it is.
fn rendered(text: &str) -> Reply {
    let paragraphs = text
        .split("\n\n")
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let html: String = paragraphs
        .map(|part| format!("<p dir=\"auto\">{}</p>\n", spans(&escape(part))))
        .collect();
    Reply::bytes(200, "text/html; charset=utf-8", html)
}

fn spans(text: &str) -> String {
    let mut html = text.to_owned();
    for (mark, tag) in [("**", "strong"), ("`", "code")] {
        let parts: Vec<&str> = html.split(mark).collect();
        if parts.len().is_multiple_of(2) {
            continue;
        }
        let wrapped = parts.iter().enumerate().map(|(at, part)| {
            if at % 2 == 0 {
                (*part).to_owned()
            } else {
                format!("<{tag}>{part}</{tag}>")
            }
        });
        html = wrapped.collect();
    }
    html
}

/// Text that a browser shows as it is.
#[must_use]
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&#34;")
        .replace('\'', "&#39;")
}
