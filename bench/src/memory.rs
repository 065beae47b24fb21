//! How much memory this process holds and has held, where the system tells (Linux).

/// MiB now.
pub fn resident_mib() -> Option<f64> {
    status("VmRSS:")
}

/// The most MiB since the process began or [`forget_peak`] was called.
pub fn peak_mib() -> Option<f64> {
    status("VmHWM:")
}

/// Lets the peak begin anew, so that it is that of the work and not of what was before it.
pub fn forget_peak() {
    // A system that does not know this file has no peak to report either.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn status(key: &str) -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}
