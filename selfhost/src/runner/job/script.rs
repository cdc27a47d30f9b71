//! A step that runs a script.

use std::{fs, io, path::PathBuf, pin::pin};

use indexmap::IndexMap;
use tokio::time::Instant;

use super::{
    Frame, Halt, Running,
    expression::{self, Status},
    steps::Outcome,
};
use crate::{
    process::{End, Program},
    runner::{
        command::{Command, Interpreter, Line},
        console::{Console, named},
        env_file,
        lines::Lines,
        progress::Conclusion,
        shell::{self, Shell},
        workflow::{Step, StepAction},
    },
};

/// The files that a step writes to, with the names of their variables.
const FILES: &[&str] = &["ENV", "OUTPUT", "PATH", "STATE", "STEP_SUMMARY"];

/// Why a script could not be run, or what it left cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum Error {
    /// A text of the step has no value.
    #[error(transparent)]
    Expression(#[from] expression::Error),
    /// There is no such shell.
    #[error(transparent)]
    Shell(#[from] shell::Error),
    /// A file that the step wrote to.
    #[error(transparent)]
    File(#[from] env_file::Error),
    /// The folder is not there.
    #[error("the working directory `{}` does not exist", .0.display())]
    Folder(PathBuf),
    /// The program is not there.
    #[error("Cannot find: {0} in PATH")]
    Program(String),
    /// The system refuses.
    #[error("the script cannot be run: {0}")]
    Start(io::Error),
}

/// What a script says in commands while it runs.
#[derive(Debug, Default)]
struct Said {
    lines: Lines,
    interpreter: Interpreter,
    outputs: IndexMap<String, String>,
    variables: Vec<(String, String)>,
    folders: Vec<String>,
}

impl Said {
    async fn hear(&mut self, lines: Vec<String>, console: &mut Console) {
        let mut shown = Vec::new();
        for line in lines {
            let (line, command) = match self.interpreter.read(&line) {
                Line::Shown => (Some(line), None),
                Line::ShownCommand(command) => (Some(line), Some(command)),
                Line::Command(command) => (None, Some(command)),
                Line::Resumed => (None, None),
            };
            shown.extend(line);
            if let Some(command) = command {
                // What came before a mask must be printed without it, and what comes after with it.
                console.print(std::mem::take(&mut shown)).await;
                self.obey(command, console).await;
            }
        }
        if !shown.is_empty() {
            console.print(shown).await;
        }
    }

    async fn obey(&mut self, command: Command, console: &mut Console) {
        match command {
            Command::AddMask(value) => console.hide(&value),
            Command::Debug(text) => console.debug(&text).await,
            Command::SetOutput(name, value) => drop(self.outputs.insert(name, value)),
            Command::SetEnv(name, value) => self.variables.push((name, value)),
            Command::AddPath(folder) => self.folders.push(folder),
            Command::StopCommands(_) => {}
        }
    }
}

impl Running<'_> {
    /// Runs the script of a step.
    pub(super) async fn script(
        &mut self,
        frame: &Frame,
        step: &Step,
        env: &IndexMap<String, String>,
        limit: Instant,
    ) -> Result<Outcome, Error> {
        let StepAction::Run {
            script,
            shell,
            working_directory,
        } = &step.action
        else {
            return Ok(Outcome::success());
        };
        let script = self.fill(frame, env, script)?;
        let shell = self
            .fill_option(frame, env, shell.as_ref())?
            .or_else(|| frame.defaults.shell.clone());
        let shell = Shell::of(shell.as_deref())?;
        // As recorded: the folder does not see the step's own variables.
        let folder = self.fill_option(frame, &IndexMap::new(), working_directory.as_ref())?;
        let folder = folder.or_else(|| frame.defaults.working_directory.clone());
        self.script_header(&script, &shell, env).await;
        let folder = self.folder(folder.as_deref())?;
        let (files, path) = self.script_files(&script, &shell).map_err(Error::Start)?;
        let mut variables = self.variables(frame, env);
        for name in FILES {
            let file = files.join(name).display().to_string();
            variables.insert(format!("GITHUB_{name}"), file.clone());
            variables.insert(format!("GITEA_{name}"), file);
        }
        let program = Program {
            argv: shell.argv(&path.display().to_string()),
            env: variables
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            folder,
            deadline: Some(limit),
        };
        let (end, said) = self.listen(program, &shell, frame.status).await?;
        let outputs = self.collect(&files, said)?;
        Ok(Outcome {
            outputs,
            ..ended(end)
        })
    }

    async fn script_header(&self, script: &str, shell: &Shell, env: &IndexMap<String, String>) {
        let script = script.trim_end();
        let title = script.lines().next().unwrap_or_default();
        let mut details: Vec<String> = script.lines().map(str::to_owned).collect();
        details.push(format!("shell: {}", shell.display));
        details.extend(named(
            "env",
            env.iter().map(|(name, value)| (name, value.clone())),
        ));
        self.console.header(title, details).await;
    }

    fn folder(&self, folder: Option<&str>) -> Result<PathBuf, Error> {
        let folder = self
            .ground
            .folders
            .workspace()
            .join(folder.unwrap_or_default());
        if folder.is_dir() {
            Ok(folder)
        } else {
            Err(Error::Folder(folder))
        }
    }

    /// The files of this script: a folder with what it writes to, and the script itself.
    fn script_files(&mut self, script: &str, shell: &Shell) -> io::Result<(PathBuf, PathBuf)> {
        self.scripts += 1;
        let files = self.ground.folders.scripts().join(self.scripts.to_string());
        fs::create_dir(&files)?;
        for name in FILES {
            fs::write(files.join(name), "")?;
        }
        let path = files.join(format!("script{}", shell.extension));
        let newline = if script.ends_with('\n') { "" } else { "\n" };
        fs::write(&path, format!("{script}{newline}"))?;
        Ok((files, path))
    }

    async fn listen(
        &mut self,
        program: Program,
        shell: &Shell,
        status: Status,
    ) -> Result<(End, Said), Error> {
        let mut said = Said::default();
        let mut stop = pin!(self.stop(status));
        let mut started = program.start().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::Program(shell.program().to_owned()),
            _ => Error::Start(error),
        })?;
        while let Some(bytes) = started.read(stop.as_mut()).await {
            let lines = said.lines.push(bytes);
            said.hear(lines, &mut self.console).await;
        }
        if let Some(last) = said.lines.finish() {
            said.hear(vec![last], &mut self.console).await;
        }
        let end = started.end(stop).await.map_err(Error::Start)?;
        Ok((end, said))
    }

    /// Ends when this step must: steps that always run only end with the runner itself.
    pub(super) fn stop(&self, status: Status) -> impl Future<Output = ()> + Send + use<> {
        let mut halt = self.halt.clone();
        let bar = if status == Status::Cancelled {
            Halt::Stopping
        } else {
            Halt::Cancelled
        };
        async move {
            if halt.wait_for(|halt| *halt >= bar).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// What the script left: variables and folders for the steps that follow, and its outputs.
    fn collect(
        &mut self,
        files: &std::path::Path,
        said: Said,
    ) -> Result<IndexMap<String, String>, Error> {
        let read = |name: &str| {
            let bytes = fs::read(files.join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let variables = env_file::assignments(&read("ENV"), "GITHUB_ENV")?;
        let written = env_file::assignments(&read("OUTPUT"), "GITHUB_OUTPUT")?;
        self.ground
            .written
            .extend(said.variables.into_iter().chain(variables));
        for folder in said
            .folders
            .into_iter()
            .chain(env_file::folders(&read("PATH")))
        {
            self.ground.path.retain(|known| *known != folder);
            self.ground.path.insert(0, folder);
        }
        let mut outputs = said.outputs;
        outputs.extend(written);
        Ok(outputs)
    }
}

fn ended(end: End) -> Outcome {
    match end {
        End::Exited(0) => Outcome::success(),
        End::Exited(code) => Outcome::failure(format!("Process completed with exit code {code}.")),
        End::TimedOut => Outcome::failure(
            "the step took longer than it may and was killed with all its processes: \
             Process completed with exit code 137.",
        ),
        End::Cancelled => Outcome {
            conclusion: Conclusion::Cancelled,
            ..Outcome::failure("the step was stopped: Process completed with exit code 143.")
        },
    }
}
