//! Whole jobs, without a server: what they print and how they end.

use std::path::Path;

use indexmap::IndexMap;
use tokio::sync::watch;

use super::{Halt, run};
use crate::runner::{
    assignment::{Assignment, Need},
    expression::Value,
    progress::{Conclusion, Progress},
    surroundings::Host,
};

/// What came of a job.
struct Carried {
    conclusion: Conclusion,
    steps: Vec<Conclusion>,
    /// What the steps printed, without headers and the runner's own first and last line.
    lines: Vec<String>,
    outputs: IndexMap<String, String>,
}

fn assignment(steps: &str) -> Assignment {
    let context = serde_json::json!({
        "job": "build", "event_name": "push", "ref": "refs/heads/main", "ref_name": "main",
        "repository": "fleet/lab", "sha": "abc", "token": "job-token-canary",
        "event": {"ref": "refs/heads/main"},
    });
    Assignment {
        id: 1,
        payload: format!("name: w\non: push\njobs:\n  build:\n    runs-on: debian\n{steps}"),
        context: Value::from(context),
        secrets: IndexMap::from([("KEY".to_owned(), "canary-secret".to_owned())]),
        vars: IndexMap::from([("GREETING".to_owned(), "hello".to_owned())]),
        needs: IndexMap::new(),
    }
}

async fn carry_out(assignment: Assignment, halt: watch::Receiver<Halt>) -> Carried {
    let work = tempfile::tempdir().unwrap();
    let host = Host {
        name: "r1".to_owned(),
        version: "0".to_owned(),
        server: "http://forge".to_owned(),
        inherited: IndexMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
        minute: crate::runner::MINUTE,
    };
    let progress = Progress::default();
    run(&assignment, &host, work.path(), progress.clone(), halt).await;
    assert_eq!(left_below(work.path()), 0, "the job left something behind");
    let snapshot = progress.snapshot();
    let ended = |step: &crate::runner::progress::StepProgress| step.ended.unwrap().1;
    Carried {
        conclusion: snapshot.ended.unwrap().1,
        steps: snapshot.steps.iter().map(ended).collect(),
        lines: without_headers(progress.rows_from(0).into_iter().map(|row| row.content)),
        outputs: snapshot.outputs,
    }
}

fn left_below(work: &Path) -> usize {
    std::fs::read_dir(work).unwrap().count()
}

fn without_headers(rows: impl Iterator<Item = String>) -> Vec<String> {
    let mut inside = false;
    let mut lines = Vec::new();
    for row in rows {
        if row.starts_with("::group::Run ") {
            inside = true;
        } else if inside {
            inside = row != "::endgroup::";
        } else if !row.contains("received task") && !row.starts_with("Job ") {
            lines.push(row);
        }
    }
    lines
}

async fn job(steps: &str) -> Carried {
    let (_sender, never) = watch::channel(Halt::No);
    carry_out(assignment(steps), never).await
}

use Conclusion::{Cancelled, Failure, Skipped, Success};

#[tokio::test]
async fn steps_pass_variables_outputs_and_folders_on() {
    let carried = job(r#"
    env: {A: job, SEEN: "sees ${{ env.A }}"}
    outputs: {out: "${{ steps.s.outputs.x }}", direct: "${{ secrets.KEY }}"}
    steps:
      - id: s
        env: {OWN: step}
        run: |
          echo "$A $SEEN $OWN ${{ vars.GREETING }} ${{ secrets.KEY }}"
          echo "x=one" >> "$GITHUB_OUTPUT"
          echo "A=file" >> "$GITHUB_ENV"
          mkdir bin; echo "$GITHUB_WORKSPACE/bin" >> "$GITHUB_PATH"
      - run: |
          echo "$A [$OWN] ${{ steps.s.outputs.x }} ${{ steps.s.outcome }} ${PATH%%:*}" | sed "s#$GITHUB_WORKSPACE#W#"
          printf 'no newline'
"#).await;
    assert_eq!(
        (carried.conclusion, carried.steps),
        (Success, vec![Success, Success])
    );
    insta::assert_snapshot!(carried.lines.join("\n"), @r"
    job sees job step hello ***
    file [] one success W/bin
    no newline
    ");
    assert_eq!(carried.outputs["out"], "one");
    assert_eq!(carried.outputs["direct"], "canary-secret");
}

#[tokio::test]
async fn a_failure_decides_what_runs_afterwards() {
    let carried = job(r#"
    steps:
      - {run: exit 3, id: f}
      - {run: echo never}
      - {if: failure(), run: "echo ${{ job.status }} ${{ steps.f.outcome }}"}
      - {if: always(), run: exit 2, continue-on-error: true}
      - {if: "1 == 1", run: echo never}
"#)
    .await;
    assert_eq!(carried.conclusion, Failure);
    assert_eq!(carried.steps, [Failure, Skipped, Success, Failure, Skipped]);
    insta::assert_snapshot!(carried.lines.join("\n"), @r"
    ##[error]Process completed with exit code 3.
    failure failure
    ##[error]Process completed with exit code 2.
    ");
}

#[tokio::test]
async fn an_expression_that_fails_is_a_failure_of_the_step() {
    let carried = job(r#"
    steps:
      - {run: 'echo "${{ nothing.at.all }}"'}
      - {if: always(), env: {V: "${{ fromJSON('{') }}"}, run: echo never}
      - {if: "fromJSON('{')", run: echo never}
      - {if: always(), run: echo after}
"#)
    .await;
    assert_eq!(carried.conclusion, Failure);
    assert_eq!(carried.steps, [Failure, Failure, Cancelled, Success]);
    assert!(
        !carried.lines.iter().any(|line| line == "never"),
        "{:?}",
        carried.lines
    );
    assert!(
        carried.lines[0].contains("`nothing` is no context"),
        "{:?}",
        carried.lines
    );
}

#[tokio::test]
async fn the_environment_is_clean_and_nothing_of_the_daemon_leaks() {
    let carried = job(r#"
    steps:
      - run: env | cut -d= -f1 | grep -vE '^(GITHUB|GITEA|RUNNER|ACTIONS)_' | sort | tr '\n' ' '
"#)
    .await;
    assert_eq!(carried.lines, ["CI HOME PATH PWD SHLVL TERM _ "]);
}

#[tokio::test]
async fn no_token_and_no_secret_is_printed_in_any_form() {
    let carried = job(r#"
    steps:
      - run: |
          echo "${{ github.token }} ${{ secrets.KEY }}"
          echo "${{ secrets.KEY }}" | base64
          echo "::add-mask::later"; echo "later and later"
"#)
    .await;
    insta::assert_snapshot!(carried.lines.join("\n"), @r"
    *** ***
    ***Ao=
    *** and ***
    ");
}

#[tokio::test]
async fn a_composite_action_has_inputs_outputs_and_a_place() {
    let carried = job(r#"
    steps:
      - run: |
          mkdir action
          cat > action/action.yml <<'END'
          inputs: {given: {required: true}, defaulted: {default: "on @{{ github.event_name }}"}}
          outputs: {result: {value: "@{{ steps.inner.outputs.x }}"}}
          runs:
            using: composite
            steps:
              - {id: inner, shell: bash, run: 'echo "@{{ inputs.given }} @{{ inputs.defaulted }} $OF_STEP $INPUT_GIVEN"; echo "x=inside" >> "$GITHUB_OUTPUT"'}
              - {shell: sh, run: 'basename "$GITHUB_ACTION_PATH"', if: "inputs.given == 'value'"}
              - {shell: sh, run: exit 4, if: "inputs.given == 'fail'"}
          END
          sed -i 's/@{/${/g' action/action.yml
      - {id: call, uses: ./action, with: {given: value}, env: {OF_STEP: step}}
      - {run: 'echo "${{ steps.call.outputs.result }} [$OF_STEP]"'}
      - {uses: ./action, with: {given: fail}, continue-on-error: true}
      - {uses: ./nothing, continue-on-error: true}
      - {uses: someone/action@v1}
"#).await;
    assert_eq!(
        carried.steps,
        [Success, Success, Success, Failure, Failure, Failure]
    );
    insta::assert_snapshot!(carried.lines.join("\n"), @r"
    value on push step value
    action
    inside []
    fail on push  fail
    Process completed with exit code 4.
    ##[error]Process completed with exit code 4.
    ##[error]there is no `action.yml` in `./nothing`; is the repository checked out?
    ##[error]the action `someone/action@v1` is not to be had here: there are actions of the repository itself (`./path`), composite, and `actions/checkout`
    ");
}

#[tokio::test]
async fn a_cancelled_job_still_runs_what_always_runs() {
    let (sender, halt) = watch::channel(Halt::No);
    let canceller = tokio::spawn(async move {
        tokio::task::yield_now().await;
        sender.send_replace(Halt::Cancelled);
        sender
    });
    let steps = r#"
    steps:
      - {run: sleep 60}
      - {run: echo never}
      - {if: always(), run: "echo ${{ job.status }}"}
"#;
    let carried = carry_out(assignment(steps), halt).await;
    drop(canceller.await.unwrap());
    assert_eq!(carried.conclusion, Cancelled);
    assert_eq!(carried.steps[1..], [Cancelled, Success]);
    assert_eq!(carried.lines.last().unwrap(), "cancelled");
}

#[tokio::test]
async fn a_stopping_runner_never_reports_success() {
    let (sender, halt) = watch::channel(Halt::Stopping);
    let carried = carry_out(
        assignment("    steps: [{run: echo a}, {if: always(), run: echo b}]\n"),
        halt,
    )
    .await;
    drop(sender);
    assert_eq!(
        (carried.conclusion, carried.steps),
        (Cancelled, vec![Cancelled, Cancelled])
    );
    assert!(carried.lines.is_empty(), "{:?}", carried.lines);
}

#[tokio::test]
async fn a_job_whose_needs_failed_decides_by_its_condition() {
    let mut after = assignment(
        "    if: always()\n    steps: [{run: 'echo ${{ needs.first.result }} ${{ join(needs.*.result) }}'}]\n",
    );
    let need = Need {
        result: "failure".to_owned(),
        outputs: IndexMap::new(),
    };
    after.needs.insert("first".to_owned(), need);
    let (_sender, never) = watch::channel(Halt::No);
    let carried = carry_out(after.clone(), never.clone()).await;
    assert_eq!(
        (carried.conclusion, carried.lines),
        (Success, vec!["failure failure".to_owned()])
    );
    after.payload = after.payload.replace("always()", "success()");
    let carried = carry_out(after, never).await;
    assert_eq!(
        (carried.conclusion, carried.steps),
        (Skipped, vec![Skipped])
    );
}

#[tokio::test]
async fn what_this_runner_does_not_do_fails_with_a_clear_line() {
    let carried = job("    container: alpine\n    steps: [{run: echo never}]\n").await;
    assert_eq!(
        (carried.conclusion, carried.steps),
        (Failure, vec![Cancelled])
    );
    assert_eq!(
        carried.lines,
        ["##[error]`container:` asks for Docker; this runner works on the host"]
    );
}

#[tokio::test]
async fn processes_left_behind_are_gone_with_the_job() {
    let carried = job(r#"
    steps:
      - run: setsid sleep 61 >/dev/null 2>&1 </dev/null & echo $!
"#)
    .await;
    let id = carried.lines[0].trim();
    let command = std::fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
    assert!(!command.contains("sleep"), "still there: {command}");
}
