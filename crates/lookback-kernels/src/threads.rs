//! Threads that share the tasks of one call.

/// Runs every task, on as many threads as there are tasks when there is more than one.
pub(crate) fn run<X: Send>(tasks: Vec<X>, work: impl Fn(X) + Sync) {
    if tasks.len() <= 1 {
        tasks.into_iter().for_each(work);
        return;
    }
    let work = &work;
    rayon::scope(|scope| {
        let mut tasks = tasks.into_iter();
        let first = tasks.next();
        for task in tasks {
            scope.spawn(move |_| work(task));
        }
        first.into_iter().for_each(work);
    });
}
