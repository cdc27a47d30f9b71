//! A client and a forge that has state, whose every exchange is checked at the end.

use gitea_api::api::orgs::CreateOrg;
use gitea_api::api::repos::{CreateRepo, Repo};
use gitea_api::{Auth, Client};
use testkit::forge::{Forge, ForgeOptions};

use crate::process::assert_conforms;

/// A conversation of a site administrator.
pub(crate) struct Conversation {
    pub(crate) forge: Forge,
    pub(crate) client: Client,
    folder: tempfile::TempDir,
}

impl Conversation {
    /// Begins one with a forge of the newest version.
    pub(crate) async fn begin() -> Self {
        Self::begin_with("1.26").await
    }

    /// Begins one with a forge of this version.
    pub(crate) async fn begin_with(version: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = ForgeOptions {
            version: version.to_owned(),
            journal: Some(folder.path().join("journal.jsonl")),
            ..ForgeOptions::default()
        };
        let forge = Forge::start_with(options).await.unwrap();
        let token = Auth::token(&*forge.ready().root_token);
        let client = Client::builder(forge.url()).auth(token).build().unwrap();
        Self {
            forge,
            client,
            folder,
        }
    }

    /// An organisation with a repository that has a first commit.
    pub(crate) async fn repo(&self) -> Repo {
        self.client
            .create_org(&CreateOrg::new("infra"))
            .await
            .unwrap();
        let wish = CreateRepo::new("deploy").auto_init(true);
        self.client.org("infra").create_repo(&wish).await.unwrap();
        self.client.repo("infra", "deploy")
    }

    /// Ends it: what was said must be as upstream's schema says.
    pub(crate) async fn end(self) {
        self.forge.stop().await;
        let journal = self.folder.path().join("journal.jsonl");
        assert!(std::fs::metadata(&journal).unwrap().len() > 0);
        // The runner protocol and downloads are beside the API.
        assert_conforms(
            &journal,
            "gitea-api-1.26.json",
            r"runner\.v1\.RunnerService|GET /attachments/",
        );
    }
}
