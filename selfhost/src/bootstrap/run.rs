//! Running: stage after stage, each step looked at, journalled, done, looked at again.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use lxc_layers::guest::LastWords;

use super::{
    Ended, Entry, Error, Event, Events, Found, Ground, Journal, Outcome, Report, Settings, Site,
    Stage, StageReport, Step, StepReport, Undone, steps,
};
use crate::forge::{Administrator, Forge};

/// How a bootstrap is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// For real.
    Do,
    /// Only told.
    Tell,
}

/// A bootstrap that ended.
#[derive(Debug)]
pub struct Finished {
    /// What it did.
    pub report: Report,
    /// Why it stopped, when it did.
    pub failure: Option<Error>,
    /// The first administrator's credentials, when nobody was shown them yet. Show them once, then
    /// call [`Finished::shown`].
    pub credentials: Option<Administrator>,
    journal: Option<Journal>,
}

impl Finished {
    /// Remembers that the credentials were shown; no later run gives them again.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn shown(&self) -> Result<(), Error> {
        let fingerprint = self.report.fingerprint.clone().unwrap_or_default();
        let url = self.report.url.clone();
        match &self.journal {
            Some(journal) => journal.write(Entry::Shown { url, fingerprint }),
            None => Ok(()),
        }
    }
}

/// Bootstraps, or with `dry` tells what it would do and changes nothing. The caller holds the
/// fleet's lock, unless it is a dry run.
///
/// # Errors
/// When it cannot begin: the journal or a private folder cannot be made. What goes wrong later is in
/// [`Finished`].
pub async fn run(
    settings: Settings,
    forge: Arc<dyn Forge>,
    events: Events,
    dry: bool,
) -> Result<Finished, Error> {
    let mode = if dry { Mode::Tell } else { Mode::Do };
    let journal = match mode {
        Mode::Do => Some(Journal::begin(&settings.state, begin(&settings))?),
        Mode::Tell => None,
    };
    let url = settings.url()?;
    let site = Site::new(settings, forge, events)?;
    let runner = Runner {
        site: &site,
        journal: journal.as_ref(),
        mode,
        stages: Mutex::default(),
        missing: Mutex::new(None),
    };
    let began = Instant::now();
    let failure = runner.all().await.err();
    let stages = runner.stages();
    let outcome = outcome(mode, failure.as_ref(), &stages);
    let service = match (mode, &failure) {
        (Mode::Do, None) => site.service().await.ok(),
        _ => None,
    };
    let report = Report {
        run: journal.as_ref().map_or("", Journal::run).to_owned(),
        outcome,
        forge: site.forge.kind(),
        url,
        fingerprint: service.as_ref().map(|it| it.fingerprint.clone()),
        seconds: rounded(began),
        stages,
        proofs: site.proven(),
    };
    if let Some(journal) = &journal {
        let outcome = outcome.as_str().to_owned();
        journal.write(Entry::End { outcome })?;
    }
    let credentials = service
        .filter(|_| !was_shown(&site.settings, &report))
        .map(|service| service.administrator);
    Ok(Finished {
        report,
        failure,
        credentials,
        journal,
    })
}

/// Takes back what a bootstrap made, the last first: what stands inside the container falls with it.
///
/// # Errors
/// When the container is not this fleet's, or the hypervisor refuses.
pub async fn undo(
    settings: Settings,
    forge: Arc<dyn Forge>,
    events: Events,
) -> Result<Undone, Error> {
    let site = Site::new(settings, forge, events)?;
    let mut gone = Undone::Nothing;
    for stage in Stage::ALL.into_iter().rev() {
        for step in steps::of(stage, &site).iter().rev() {
            if step.undo(&site).await? == Undone::Gone {
                gone = Undone::Gone;
            }
        }
    }
    Ok(gone)
}

fn begin(settings: &Settings) -> Entry {
    Entry::Begin {
        pid: std::process::id(),
        fleet: settings.desired.fleet.to_string(),
        provenance: settings.provenance.clone(),
    }
}

/// Whether somebody was shown the credentials of the service that stands there now.
fn was_shown(settings: &Settings, report: &Report) -> bool {
    let records = Journal::read(&settings.state).unwrap_or_default();
    records.iter().any(|record| match &record.entry {
        Entry::Shown { url, fingerprint } => {
            *url == report.url && Some(fingerprint) == report.fingerprint.as_ref()
        }
        _ => false,
    })
}

fn outcome(mode: Mode, failure: Option<&Error>, stages: &[StageReport]) -> Outcome {
    let mut steps = stages.iter().flat_map(|stage| &stage.steps);
    match (mode, failure) {
        (_, Some(_)) => Outcome::Failed,
        (_, None) if !steps.any(|step| step.ended.is_change()) => Outcome::Unchanged,
        (Mode::Tell, None) => Outcome::Would,
        (Mode::Do, None) => Outcome::Changed,
    }
}

fn rounded(since: Instant) -> f64 {
    (since.elapsed().as_secs_f64() * 1000.0).round() / 1000.0
}

/// The error with its causes in one line.
fn in_one_line(error: &Error) -> String {
    let first: &dyn std::error::Error = error;
    let chain = std::iter::successors(Some(first), |cause| cause.source());
    let words: Vec<String> = chain.map(ToString::to_string).collect();
    words.join(": ").replace('\n', " / ")
}

/// The error with its causes, as the cause of another.
pub(super) fn last_words(error: &Error) -> LastWords {
    LastWords::new(&[in_one_line(error)])
}

/// One run on its way.
struct Runner<'a> {
    site: &'a Site,
    journal: Option<&'a Journal>,
    mode: Mode,
    stages: Mutex<Vec<StageReport>>,
    /// Dry run: the ground that is not there yet; what stands on it or above cannot be looked at.
    missing: Mutex<Option<Ground>>,
}

impl Runner<'_> {
    fn stages(&self) -> Vec<StageReport> {
        let stages = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        stages.clone()
    }

    async fn all(&self) -> Result<(), Error> {
        for stage in Stage::ALL {
            self.site.events.tell(Event::Stage { stage });
            self.keep(|stages| {
                stages.push(StageReport {
                    stage,
                    steps: Vec::new(),
                });
            });
            for step in steps::of(stage, self.site) {
                self.step(stage, &*step).await?;
            }
        }
        Ok(())
    }

    fn keep(&self, edit: impl FnOnce(&mut Vec<StageReport>)) {
        edit(&mut self.stages.lock().unwrap_or_else(PoisonError::into_inner));
    }

    async fn step(&self, stage: Stage, step: &dyn Step) -> Result<(), Error> {
        let began = Instant::now();
        let worked = match self.mode {
            Mode::Do => self.work(stage, step).await,
            Mode::Tell => self.look(stage, step).await,
        };
        let ended = worked.as_ref().map_or_else(
            |error| Ended::Failed {
                error: in_one_line(error),
            },
            Clone::clone,
        );
        let seconds = rounded(began);
        let calls = match &ended {
            Ended::Would { .. } => step.calls(self.site),
            _ => Vec::new(),
        };
        self.site.events.tell(Event::Finished {
            stage,
            step: step.name(),
            ended: ended.clone(),
            seconds,
        });
        let report = StepReport {
            step: step.name(),
            ended,
            seconds,
            calls,
        };
        self.keep(|stages| {
            if let Some(last) = stages.last_mut() {
                last.steps.push(report);
            }
        });
        worked.map(drop)
    }

    /// Looks; acts on what is missing; looks again.
    async fn work(&self, stage: Stage, step: &dyn Step) -> Result<Ended, Error> {
        let why = match step.check(self.site).await? {
            Found::Settled(seen) => return Ok(Ended::Unchanged { seen }),
            Found::Needed(why) => why,
        };
        let name = step.name();
        self.write(|step| Entry::Intend { stage, step }, &name)?;
        self.site.events.tell(Event::Began {
            stage,
            step: name.clone(),
            why: why.clone(),
        });
        if let Err(error) = self.act(step).await {
            let told = in_one_line(&error);
            self.write(
                |step| Entry::Failed {
                    stage,
                    step,
                    error: told,
                },
                &name,
            )?;
            return Err(error);
        }
        self.write(|step| Entry::Done { stage, step }, &name)?;
        Ok(Ended::Done { why })
    }

    async fn act(&self, step: &dyn Step) -> Result<(), Error> {
        step.apply(self.site).await?;
        match step.check(self.site).await? {
            Found::Settled(_) => Ok(()),
            Found::Needed(still) => Err(Error::refused(
                format!("`{}` was done, and still: {still}", step.name()),
                "bootstrap again; if it stays, another hand takes it back",
            )),
        }
    }

    fn write(&self, entry: impl FnOnce(String) -> Entry, name: &str) -> Result<(), Error> {
        match self.journal {
            Some(journal) => journal.write(entry(name.to_owned())),
            None => Ok(()),
        }
    }

    /// Dry run: looks where there is something to look at.
    async fn look(&self, stage: Stage, step: &dyn Step) -> Result<Ended, Error> {
        let missing = *self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        let unseen = missing.is_some_and(|missing| step.ground() >= missing);
        let found = if unseen {
            Found::Needed("what it stands on is not there yet".to_owned())
        } else {
            step.check(self.site).await?
        };
        let why = match found {
            Found::Settled(seen) => return Ok(Ended::Unchanged { seen }),
            Found::Needed(why) => why,
        };
        let falls = match stage {
            Stage::Preflight | Stage::Container => Some(Ground::Guest),
            Stage::Forge => Some(Ground::Service),
            _ => None,
        };
        if let Some(falls) = falls.filter(|_| !unseen) {
            let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
            *missing = Some(missing.map_or(falls, |ground| ground.min(falls)));
        }
        self.site.events.tell(Event::Would {
            stage,
            step: step.name(),
            calls: step.calls(self.site),
        });
        Ok(Ended::Would { why })
    }
}

#[cfg(test)]
mod tests;
