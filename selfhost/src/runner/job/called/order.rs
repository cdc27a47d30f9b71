//! Pure: in which order the jobs of a called workflow are carried out.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::runner::workflow::Job;

/// The jobs so that each comes after those it needs.
pub(super) fn order(jobs: &IndexMap<String, Job>) -> Result<Vec<String>, String> {
    let mut order: Vec<String> = Vec::new();
    let mut waiting: BTreeSet<&String> = jobs.keys().collect();
    while !waiting.is_empty() {
        let ready = |id: &&&String| jobs[**id].needs.iter().all(|need| order.contains(need));
        // In the order of the file, not of the alphabet.
        let next = jobs
            .keys()
            .filter(|id| waiting.contains(id))
            .find(|id| ready(&id));
        let next = next.ok_or("its jobs need each other in a circle, or one that is not there")?;
        waiting.remove(next);
        order.push(next.clone());
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs(needs: &[(&str, &[&str])]) -> IndexMap<String, Job> {
        let job = |needs: &[&str]| Job {
            needs: needs.iter().map(|&need| need.to_owned()).collect(),
            ..Job::default()
        };
        needs
            .iter()
            .map(|(id, needs)| ((*id).to_owned(), job(needs)))
            .collect()
    }

    #[test]
    fn jobs_come_after_those_they_need() {
        let order = order(&jobs(&[("z", &["b"]), ("b", &[]), ("a", &["z", "b"])])).unwrap();
        assert_eq!(order, ["b", "z", "a"]);
    }

    #[test]
    fn a_circle_is_refused() {
        assert!(
            order(&jobs(&[("a", &["b"]), ("b", &["a"])]))
                .unwrap_err()
                .contains("circle")
        );
    }
}
