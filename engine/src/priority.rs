//! Lets whatever computes a step have the processor first, where the system can be told so for one thread.

/// Added to the niceness that the process has: less than the steps get, and enough to be there soon. Ten would be a tenth of
/// the processor, and requests of many cold adapters waited most of their time for it.
pub(crate) const LOAD: i32 = 3;
/// Nobody waits for a check's answer but whoever uploads.
pub(crate) const CHECK: i32 = 10;

/// Makes the calling thread yield to others, from now to its end.
pub(crate) fn lower(by: i32) {
    #[cfg(target_os = "linux")]
    {
        #[expect(
            unsafe_code,
            reason = "system calls without pointers, about the calling thread (id 0) alone"
        )]
        // SAFETY: neither touches memory of ours.
        let refused = unsafe {
            let own = libc::getpriority(libc::PRIO_PROCESS, 0);
            libc::setpriority(libc::PRIO_PROCESS, 0, own.saturating_add(by).min(19)) != 0
        };
        if refused {
            tracing::debug!("A background thread keeps the usual priority");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = by;
}
