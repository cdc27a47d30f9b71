//! A task as the server hands it out, in plain values.

use indexmap::IndexMap;

use super::expression::Value;

/// A job to be carried out.
#[derive(Clone)]
pub(crate) struct Assignment {
    /// The task's number.
    pub(crate) id: i64,
    /// The workflow of this one job, YAML.
    pub(crate) payload: String,
    /// What the server says about the run.
    pub(crate) context: Value,
    /// Secrets by name.
    pub(crate) secrets: IndexMap<String, String>,
    /// Variables by name.
    pub(crate) vars: IndexMap<String, String>,
    /// The jobs that this one needed.
    pub(crate) needs: IndexMap<String, Need>,
}

/// A job that had to end first.
#[derive(Clone, Debug)]
pub(crate) struct Need {
    /// `success`, `failure`, `cancelled`, `skipped`.
    pub(crate) result: String,
    /// What it gave.
    pub(crate) outputs: IndexMap<String, String>,
}

impl std::fmt::Debug for Assignment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Payload and context hold tokens.
        f.debug_struct("Assignment")
            .field("id", &self.id)
            .field("secrets", &self.secrets.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl Assignment {
    /// A text of the context; empty where there is none.
    pub(crate) fn said(&self, name: &str) -> String {
        self.context.member(name).to_text()
    }

    /// Everything that must not be seen: secrets and tokens, by name.
    pub(crate) fn hidden(&self) -> Vec<(&str, String)> {
        let tokens = ["token", "gitea_runtime_token"].map(|name| (name, self.said(name)));
        let secrets = self
            .secrets
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()));
        secrets.chain(tokens).collect()
    }

    /// The `needs` context.
    pub(crate) fn needs(&self) -> Value {
        let need = |need: &Need| {
            Value::Object(IndexMap::from([
                ("result".to_owned(), Value::text(&need.result)),
                ("outputs".to_owned(), Value::texts(need.outputs.clone())),
            ]))
        };
        Value::Object(
            self.needs
                .iter()
                .map(|(id, value)| (id.clone(), need(value)))
                .collect(),
        )
    }
}
