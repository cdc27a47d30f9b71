//! Repository: the organisation, and each clone as a repository in it, pushed with its history.
//!
//! A repository takes no part in Actions while it is filled, so that an import starts no run. What
//! stands there is only ever moved forward; nothing is deleted, nothing is forced. The project's own
//! repository is given the build that was installed, too.

use async_trait::async_trait;
use gitea_api::api::{
    orgs::{CreateOrg, Org},
    repos::{CreateRepo, EditRepo, Repo},
    users::Visibility,
};

use super::{
    super::{Call, Clone, Error, Found, Ground, Import, Readers, Service, Site, Step, git::Remote},
    build::Released,
    preflight::short,
};
use crate::upkeep::PROGRAM_REPOSITORY;

/// The branch that counts.
pub(super) const MAIN: &str = "main";

pub(super) fn steps(site: &Site) -> Vec<Box<dyn Step>> {
    let mut steps: Vec<Box<dyn Step>> = vec![Box::new(Organisation)];
    for import in &site.settings.imports {
        steps.push(Box::new(Made(import.clone())));
        steps.push(Box::new(Pushed(import.clone())));
        if import.name == PROGRAM_REPOSITORY {
            steps.push(Box::new(Released(import.clone())));
        }
        steps.push(Box::new(Switched(import.clone())));
    }
    steps
}

/// The organisation.
pub(super) fn organisation(site: &Site, service: &Service) -> Org {
    service.client.org(&site.settings.names.organisation)
}

pub(super) fn repository(site: &Site, service: &Service, import: &Import) -> Repo {
    let organisation = &site.settings.names.organisation;
    service.client.repo(organisation, &import.name)
}

/// Owner and name.
pub(super) fn path(site: &Site, import: &Import) -> String {
    format!("{}/{}", site.settings.names.organisation, import.name)
}

/// The organisation is there.
struct Organisation;

#[async_trait]
impl Step for Organisation {
    fn name(&self) -> String {
        "organisation".to_owned()
    }

    fn ground(&self) -> Ground {
        Ground::Service
    }

    fn calls(&self, site: &Site) -> Vec<Call> {
        let name = &site.settings.names.organisation;
        vec![Call::forge(format!("POST /api/v1/orgs ({name})"))]
    }

    async fn check(&self, site: &Site) -> Result<Found, Error> {
        let name = &site.settings.names.organisation;
        let found = organisation(site, &site.service().await?).find().await;
        let found = found.map_err(Error::forge(format!(
            "looking for the organisation `{name}`"
        )))?;
        Ok(Found::when(
            found.is_some(),
            format!("`{name}` is there"),
            format!("there is no `{name}`"),
        ))
    }

    async fn apply(&self, site: &Site) -> Result<(), Error> {
        let name = &site.settings.names.organisation;
        let wish = CreateOrg::new(name).visibility(Visibility::Public);
        let made = site.service().await?.client.ensure_org(&wish).await;
        made.map_err(Error::forge(format!("making the organisation `{name}`")))
            .map(drop)
    }
}

/// A repository is there.
struct Made(Import);

#[async_trait]
impl Step for Made {
    fn name(&self) -> String {
        format!("repository {}", self.0.name)
    }

    fn ground(&self) -> Ground {
        Ground::Service
    }

    fn calls(&self, site: &Site) -> Vec<Call> {
        let organisation = &site.settings.names.organisation;
        let path = path(site, &self.0);
        vec![
            Call::forge(format!(
                "POST /api/v1/orgs/{organisation}/repos ({})",
                self.0.name
            )),
            Call::forge(format!("PATCH /api/v1/repos/{path} (Actions off)")),
        ]
    }

    async fn check(&self, site: &Site) -> Result<Found, Error> {
        let repo = repository(site, &site.service().await?, &self.0);
        let found = repo.find().await;
        let found = found.map_err(Error::forge(format!("looking for `{}`", self.0.name)))?;
        Ok(Found::when(
            found.is_some(),
            "it is there",
            "there is no such repository",
        ))
    }

    async fn apply(&self, site: &Site) -> Result<(), Error> {
        let service = site.service().await?;
        let wish = CreateRepo::new(&self.0.name)
            .private(self.0.readers == Readers::Members)
            .default_branch(MAIN);
        let made = organisation(site, &service).ensure_repo(&wish).await;
        made.map_err(Error::forge(format!("making `{}`", self.0.name)))?;
        actions(&repository(site, &service, &self.0), Actions::Off).await
    }
}

/// Whether a repository takes part in Actions.
#[derive(Clone, Copy)]
enum Actions {
    On,
    Off,
}

/// Takes a repository out of Actions, so that what is done to it starts no run.
pub(super) async fn switch_off(repo: &Repo) -> Result<(), Error> {
    actions(repo, Actions::Off).await
}

async fn actions(repo: &Repo, wanted: Actions) -> Result<(), Error> {
    let edit = EditRepo::new().has_actions(matches!(wanted, Actions::On));
    let edited = repo.edit(&edit).await;
    edited
        .map_err(Error::forge(format!(
            "switching the Actions of `{}`",
            repo.path()
        )))
        .map(drop)
}

/// The commit that `main` is at; `None` in an empty repository.
pub(super) async fn main_of(repo: &Repo) -> Result<Option<String>, Error> {
    let found = repo.branches().find(MAIN).await;
    let found = found.map_err(Error::forge(format!("looking at `{}`", repo.path())))?;
    Ok(found.map(|branch| branch.commit.id))
}

/// A repository holds what the clone holds, or has moved on from there.
struct Pushed(Import);

impl Pushed {
    /// What is left to push: nothing, or everything since what is there.
    async fn look(&self, site: &Site) -> Result<(Clone, Option<String>, bool), Error> {
        let clone = Clone::read(&self.0.folder).await?;
        let repo = repository(site, &site.service().await?, &self.0);
        let theirs = main_of(&repo).await?;
        let holds = match &theirs {
            None => false,
            Some(theirs) if *theirs == clone.head => true,
            Some(theirs) => !clone.comes_after(theirs).await? && knows(&repo, &clone.head).await?,
        };
        Ok((clone, theirs, holds))
    }
}

/// Whether the repository holds a commit.
async fn knows(repo: &Repo, commit: &str) -> Result<bool, Error> {
    match repo.get_commit(commit).await {
        Ok(_) => Ok(true),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(Error::forge(format!("looking at `{}`", repo.path()))(error)),
    }
}

#[async_trait]
impl Step for Pushed {
    fn name(&self) -> String {
        format!("push {}", self.0.name)
    }

    fn ground(&self) -> Ground {
        Ground::Service
    }

    fn calls(&self, site: &Site) -> Vec<Call> {
        let url = site.settings.url().unwrap_or_default();
        let path = path(site, &self.0);
        vec![Call::git(format!(
            "git -C {} push {url}/{path}.git HEAD:refs/heads/{MAIN}",
            self.0.folder.display()
        ))]
    }

    async fn check(&self, site: &Site) -> Result<Found, Error> {
        let (clone, theirs, holds) = self.look(site).await?;
        if holds {
            return Ok(Found::Settled(format!("it holds {}", short(&clone.head))));
        }
        let Some(theirs) = theirs else {
            return Ok(Found::Needed("it is empty".to_owned()));
        };
        if clone.comes_after(&theirs).await? {
            let (from, to) = (short(&theirs), short(&clone.head));
            return Ok(Found::Needed(format!("{from} can move forward to {to}")));
        }
        Err(Error::Diverged {
            repository: path(site, &self.0),
            theirs: short(&theirs).to_owned(),
            ours: short(&clone.head).to_owned(),
        })
    }

    async fn apply(&self, site: &Site) -> Result<(), Error> {
        let service = site.service().await?;
        actions(&repository(site, &service, &self.0), Actions::Off).await?;
        let clone = Clone::read(&self.0.folder).await?;
        let remote = Remote::new(site, &service, &path(site, &self.0))?;
        remote.push(site, &clone).await?;
        self.settle(site, &clone.head).await
    }
}

impl Pushed {
    /// Waits until the service has seen what was pushed: its records follow the push by a moment.
    async fn settle(&self, site: &Site, head: &str) -> Result<(), Error> {
        let repo = &repository(site, &site.service().await?, &self.0);
        super::super::site::within(site.settings.limits.answer, || async {
            match main_of(repo).await? {
                Some(theirs) if theirs == head => Ok(()),
                _ => Err(Error::refused(
                    format!("`{}` does not show what was pushed", self.0.name),
                    "bootstrap again",
                )),
            }
        })
        .await
    }
}

/// A repository takes part in Actions.
struct Switched(Import);

#[async_trait]
impl Step for Switched {
    fn name(&self) -> String {
        format!("actions of {}", self.0.name)
    }

    fn ground(&self) -> Ground {
        Ground::Service
    }

    fn calls(&self, site: &Site) -> Vec<Call> {
        let path = path(site, &self.0);
        vec![Call::forge(format!(
            "PATCH /api/v1/repos/{path} (Actions on)"
        ))]
    }

    async fn check(&self, site: &Site) -> Result<Found, Error> {
        let repo = repository(site, &site.service().await?, &self.0);
        let got = repo.get().await;
        let got = got.map_err(Error::forge(format!("looking at `{}`", self.0.name)))?;
        Ok(Found::when(got.has_actions, "on", "off"))
    }

    async fn apply(&self, site: &Site) -> Result<(), Error> {
        let repo = repository(site, &site.service().await?, &self.0);
        actions(&repo, Actions::On).await
    }
}

/// Whether the tree that the service serves for the clone's commit is the clone's.
pub(super) async fn same_tree(site: &Site, import: &Import) -> Result<(bool, String), Error> {
    let clone = Clone::read(&import.folder).await?;
    let remote = Remote::new(site, &site.service().await?, &path(site, import))?;
    let theirs = remote.tree(&clone.head, site.scratch.path()).await?;
    let seen = format!("{} {}", import.name, short(&theirs));
    Ok((theirs == clone.tree, seen))
}
