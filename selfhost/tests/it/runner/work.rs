//! Much work, and several who want it.

use selfhost::runner::Order;

use super::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn runners_that_race_for_jobs_carry_each_out_once() {
    let stage = Stage::set().await;
    let hands = [
        stage.runner("r1").await,
        stage.runner("r2").await,
        stage.runner("r3").await,
    ];
    let note = stage.path("begun");
    stage
        .push(&format!(
            "  m:\n    strategy: {{matrix: {{n: [1, 2, 3, 4, 5, 6, 7, 8]}}}}\n    runs-on: x\n    \
             steps: [{{run: 'echo ${{{{ matrix.n }}}} >>{}'}}]\n",
            note.display()
        ))
        .await;
    let jobs = stage.ended().await;
    assert_eq!(jobs.len(), 8);
    assert!(
        jobs.iter().all(|job| job.conclusion == "success"),
        "{jobs:?}"
    );
    let text = std::fs::read_to_string(note).unwrap();
    let mut begun: Vec<&str> = text.lines().collect();
    begun.sort_unstable();
    assert_eq!(begun, ["1", "2", "3", "4", "5", "6", "7", "8"]);
    for hand in hands {
        hand.end(Order::Stop).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_prints_a_hundred_thousand_lines_has_them_all_in_order() {
    let stage = Stage::set().await;
    let hand = stage.runner("r1").await;
    stage
        .push("  a:\n    runs-on: x\n    steps: [{run: seq 100000}]\n")
        .await;
    let (conclusion, lines) = stage.outcome().await;
    assert_eq!((conclusion.as_str(), lines.len()), ("success", 100_000));
    let in_order = lines
        .iter()
        .enumerate()
        .all(|(index, line)| *line == (index + 1).to_string());
    assert!(in_order);
    hand.end(Order::Stop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn called_workflows_have_matrices_and_call_others() {
    let stage = Stage::set().await;
    let hand = stage.runner("r1").await;
    stage
        .push_file(
            "inner.yml",
            "on: {workflow_call: {inputs: {what: {type: string}}, outputs: {said: {value: \
             \"${{ jobs.say.outputs.said }}\"}}}}\njobs:\n  say:\n    runs-on: x\n    outputs: \
             {said: \"${{ steps.s.outputs.said }}\"}\n    steps: [{id: s, run: 'echo \"said=<${{ \
             inputs.what }}>\" >>$GITHUB_OUTPUT'}]\n",
        )
        .await;
    stage
        .push_file(
            "outer.yml",
            "on: {workflow_call: {inputs: {list: {type: string}}}}\njobs:\n  each:\n    runs-on: \
             x\n    strategy: {matrix: {n: \"${{ fromJSON(inputs.list) }}\", include: [{n: 3, more: \
             added}]}}\n    steps: [{run: 'echo \"n ${{ matrix.n }} ${{ matrix.more }}\"'}]\n  \
             deeper:\n    needs: each\n    uses: ./.gitea/workflows/inner.yml\n    with: {what: \
             \"${{ needs.each.result }}\"}\n  last:\n    needs: deeper\n    runs-on: x\n    steps: \
             [{run: 'echo \"got ${{ needs.deeper.outputs.said }}\"'}]\n",
        )
        .await;
    stage
        .push("  a:\n    uses: ./.gitea/workflows/outer.yml\n    with: {list: '[1, 2]'}\n")
        .await;
    let (conclusion, lines) = stage.outcome().await;
    assert_eq!(lines, ["n 1 ", "n 2 ", "n 3 added", "got <success>"]);
    assert_eq!(conclusion, "success");
    hand.end(Order::Stop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_sees_nothing_of_the_runners_environment_and_shows_no_secret() {
    let stage = Stage::set().await;
    let hand = stage.runner("r1").await;
    let path = "/repos/root1/r/actions/secrets/KEY";
    let secret = serde_json::json!({"data": "first-line-canary\nsecond/line+canary"});
    let request = gitea_api::request::Request::new(gitea_api::request::Verb::Put, path);
    stage.put(request.json(&secret)).await;
    stage
        .push(
            "  a:\n    runs-on: x\n    env: {KEY: \"${{ secrets.KEY }}\"}\n    steps:\n      - run: \
             |\n          echo \"$KEY\"; echo \"$KEY\" | base64; printf '%s' \"$KEY\" | tail -n1 | \
             base64\n          printf '%s' \"$KEY\" | od -An -tx1 | tr -d ' \\n'; echo\n          env \
             | grep -c '^CARGO' || true\n",
        )
        .await;
    let (conclusion, lines) = stage.outcome().await;
    assert_eq!(conclusion, "success");
    let text = lines.join("\n");
    assert!(!text.contains("canary"), "{text}");
    assert!(!text.contains("Y2FuYXJ5"), "{text}");
    assert!(!text.contains("63616e617279"), "{text}");
    assert_eq!(lines.last().unwrap(), "0", "{text}");
    hand.end(Order::Stop).await;
}
