//! From a request to a handler: who asks, which endpoint, whether it is allowed, what is answered.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::reply::{Fail, Format, Reply};
use super::request::{Params, Request, Upload};
use super::schema::{Endpoint, Found, Schema};
use super::verify::{self, text_of};
use super::{
    World, access_api, acl_api, auth, backup, cluster, lxc, nodes, password, pools, qemu, storage,
    tasks, tfa,
};

/// What a handler says: the value of `data`.
pub(crate) type Answer = Result<Value, Fail>;

/// What stands behind an endpoint.
pub(crate) type Handler = fn(&mut World, &mut Call<'_>) -> Answer;

/// One checked call of an endpoint.
pub(crate) struct Call<'a> {
    /// `user@realm` or `user@realm!token`; empty where nobody needs to be known.
    pub(crate) identity: String,
    pub(crate) params: Params,
    pub(crate) upload: Option<&'a Upload>,
    /// The number of rows there would be without paging.
    pub(crate) total: Option<u64>,
    /// An answer that is a file instead of JSON.
    pub(crate) download: Option<String>,
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) template: &'static str,
}

impl Call<'_> {
    /// A parameter that the schema requires.
    pub(crate) fn text(&self, name: &str) -> String {
        self.optional(name).unwrap_or_default()
    }

    pub(crate) fn optional(&self, name: &str) -> Option<String> {
        self.params
            .get(name)
            .filter(|value| !value.is_null())
            .map(text_of)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.params.contains_key(name)
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.optional(name).as_deref() == Some("1")
    }

    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        self.optional(name)?.parse().ok()
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.optional(name)?.parse().ok()
    }

    pub(crate) fn vmid(&self) -> u32 {
        self.number("vmid")
            .and_then(|vmid| u32::try_from(vmid).ok())
            .unwrap_or_default()
    }

    pub(crate) fn user(&self) -> &str {
        self.identity.split('!').next().unwrap_or_default()
    }

    /// Only root itself, not its tokens.
    pub(crate) fn is_root(&self) -> bool {
        self.identity == "root@pam"
    }
}

/// The handler of an endpoint, if this world has one.
pub(crate) fn handler(method: &str, path: &str) -> Option<Handler> {
    let areas = [
        auth::handler,
        access_api::handler,
        acl_api::handler,
        password::handler,
        tfa::handler,
        tasks::handler,
        pools::handler,
        nodes::handler,
        cluster::handler,
        storage::handler,
        lxc::handler,
        backup::handler,
        qemu::handler,
    ];
    areas.iter().find_map(|area| area(method, path))
}

impl World {
    pub(crate) fn route(&mut self, request: &Request) -> Reply {
        let method = request.method.as_str();
        if !matches!(method, "GET" | "POST" | "PUT" | "DELETE") {
            return Reply::empty(501, &format!("method '{method}' not available"));
        }
        let decoded = percent_decode_str(request.raw_path())
            .decode_utf8_lossy()
            .into_owned();
        let Some(api) = decoded.strip_prefix("/api2") else {
            return outside(&decoded);
        };
        let Some(rest) = api.strip_prefix('/').filter(|rest| !rest.is_empty()) else {
            return Reply::text(501, "no such uri");
        };
        let (format, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = format!(
            "/{}",
            path.split('/')
                .filter(|s| !s.is_empty())
                .collect::<Vec<_>>()
                .join("/")
        );
        let format = match format {
            "json" => Format::Json,
            "extjs" => Format::Extjs,
            other => return Reply::text(501, &format!("no formatter for uri {path}, {other}")),
        };
        let schema = Schema::of(self.version());
        let found = schema.find(method, &path);
        let template = found.as_ref().map_or("", |found| found.slot.path);
        let mut reply = match self.call(request, &path, found) {
            Ok(done) => done.wrap(format),
            Err(fail) => fail.reply(format),
        };
        reply.endpoint = template;
        if reply.status == 401 && self.setup.slow_refusals {
            reply.delay = std::time::Duration::from_secs(3);
        }
        reply
    }

    fn call(
        &mut self,
        request: &Request,
        path: &str,
        found: Option<Found<'_>>,
    ) -> Result<Done, Fail> {
        let identity = self.authenticate(request, path)?;
        let mut params = request.params()?;
        let found = found.ok_or_else(|| Fail::unknown(&request.method, path))?;
        let endpoint = found.slot.endpoint();
        if !endpoint.allowtoken && identity.contains('!') {
            let text = format!("URI '{path}' not available with API token, need proper ticket.\n");
            return Err(Fail::denied(text));
        }
        merge(&mut params, &found.variables)?;
        self.check_node(endpoint, &params)?;
        if identity != auth::NOBODY {
            self.check_endpoint(endpoint, &identity, &params)?;
        }
        let mut call = Call {
            identity,
            params,
            upload: request.upload.as_ref(),
            total: None,
            download: None,
            endpoint,
            template: found.slot.path,
        };
        if request.upload.is_some() != found.slot.path.ends_with("/upload")
            && request.upload.is_some()
        {
            return Err(Fail::plain(501, "upload not allowed"));
        }
        complete_upload(&mut call);
        verify::check(self.version(), endpoint, &call.params)?;
        let handler = match found.slot.handler {
            Some(handler) => handler,
            None if endpoint.index_key().is_some() && request.method == "GET" => index,
            None => return Err(Fail::unknown(&request.method, path)),
        };
        let data = handler(self, &mut call)?;
        Ok(Done {
            data,
            total: call.total,
            download: call.download,
        })
    }

    /// Endpoints of another node are asked there: a node that cannot be found is an error.
    fn check_node(&self, endpoint: &Endpoint, params: &Params) -> Result<(), Fail> {
        if endpoint.proxyto.as_deref() != Some("node") {
            return Ok(());
        }
        let node = params.get("node").map(text_of).unwrap_or_default();
        if node == self.node_name()
            || node == "localhost"
            || !verify::matches("(?i:[a-z0-9]([a-z0-9-]*[a-z0-9])?)", &node)
        {
            return Ok(());
        }
        Err(Fail::die(format!(
            "hostname lookup '{node}' failed - failed to get address info for: {node}: Name or service not known"
        )))
    }
}

/// Parameters of the path: they must not be contradicted.
fn merge(params: &mut Params, variables: &[(&'static str, String)]) -> Result<(), Fail> {
    for (name, value) in variables {
        if params
            .get(*name)
            .is_some_and(|other| text_of(other) != *value)
        {
            return Err(Fail::param(
                name,
                "duplicate parameter (already defined in URI) with conflicting values!",
            ));
        }
        params.insert((*name).to_owned(), Value::from(value.as_str()));
    }
    Ok(())
}

/// The fields that the HTTP layer itself adds to an upload.
fn complete_upload(call: &mut Call<'_>) {
    if let Some(upload) = call.upload {
        call.params
            .insert("filename".to_owned(), Value::from(upload.filename.as_str()));
        call.params.insert(
            "tmpfilename".to_owned(),
            Value::from("/var/tmp/pveupload-00000000000000000000000000000000"),
        );
    }
}

struct Done {
    data: Value,
    total: Option<u64>,
    download: Option<String>,
}

impl Done {
    fn wrap(self, format: Format) -> Reply {
        if let Some(text) = self.download {
            let mut reply = Reply::text(200, &text);
            reply.reason = "OK".to_owned();
            reply
                .headers
                .push(("Content-Type".to_owned(), "text/plain".to_owned()));
            return reply;
        }
        let mut body = Map::new();
        body.insert("data".to_owned(), self.data);
        if let Some(total) = self.total.filter(|total| *total > 0) {
            body.insert("total".to_owned(), json!(total));
        }
        if format == Format::Extjs {
            body.insert("success".to_owned(), json!(1));
        }
        Reply::json(200, "OK", &Value::Object(body))
    }
}

/// An endpoint that only lists its children.
fn index(world: &mut World, call: &mut Call<'_>) -> Answer {
    let key = call.endpoint.index_key().unwrap_or("subdir");
    let children = Schema::of(world.version()).children(call.template);
    Ok(children
        .into_iter()
        .map(|child| json!({ key: child }))
        .collect())
}

/// What is not under `/api2`: the web interface, which is not here.
fn outside(path: &str) -> Reply {
    if path.starts_with("/_sim") {
        return Reply::text(501, "no such uri");
    }
    if path != "/" {
        return Reply {
            close: true,
            ..Reply::text(500, &format!("no such file '{path}'\n"))
        };
    }
    let mut reply = Reply::text(
        200,
        "<!DOCTYPE html><title>Proxmox Virtual Environment</title>\n",
    );
    reply.reason = "OK".to_owned();
    reply.headers.push((
        "Content-Type".to_owned(),
        "text/html; charset=utf-8".to_owned(),
    ));
    reply
}
