//! The line protocol by which `compare.py` lets one program run at a time.
//!
//! "ready" goes out first. Then a line in is a number of repetitions (none means one), answered by their milliseconds
//! on one line, or the word `memory`, answered by the MiB before the work began and the most since,
//! or `ceiling`, answered by the operations of one unit of work and the machine's GFLOP/s at this moment.

use std::io::{BufRead, Write};

use crate::memory::{peak_mib, resident_mib};
use crate::timing::once;
use crate::{Plan, Work, ceiling_gflops};

/// Answers lines until there are no more. `before`: MiB held before the work was made.
///
/// # Errors
/// When the work fails, a line is not understood, or an answer cannot be written.
pub fn serve(plan: &Plan, work: &mut dyn Work, before: Option<f64>) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready")?;
    out.flush()?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let answer = match line.trim() {
            "memory" => {
                let Some((before, peak)) = before.or_else(resident_mib).zip(peak_mib()) else {
                    anyhow::bail!("this system does not say how much memory a process holds");
                };
                format!("{before:.1} {peak:.1}")
            }
            "ceiling" => format!("{:.0} {:.3}", plan.flops(), ceiling_gflops(plan.threads)),
            text => {
                let count: usize = match text {
                    "" => 1,
                    text => text.parse().map_err(|_| {
                        anyhow::anyhow!("{text:?} is neither a number of repetitions nor \"memory\" nor \"ceiling\"")
                    })?,
                };
                let times = (0..count).map(|_| once(work)).collect::<anyhow::Result<Vec<_>>>()?;
                times.iter().map(|ms| format!("{ms:.6}")).collect::<Vec<_>>().join(" ")
            }
        };
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}
