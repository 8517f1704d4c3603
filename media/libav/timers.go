package libav

// Go's monitor thread looks every 20 µs for processors that C code keeps, and
// with long calls into encoders it never backs off: it wakes some thousand times
// a second and preempts an encoder each time. Timers that may be up to 2 ms late
// leave it asleep; for media, paced in tens of milliseconds, that
// is soon enough. Threads inherit the slack from their creator, and the monitor
// is there before any Go code: so it is set before Go starts.

/*
#include <sys/prctl.h>

#define GALA_TIMER_SLACK 2000000UL // ns

__attribute__((constructor)) static void gala_relax_timers(void) { prctl(PR_SET_TIMERSLACK, GALA_TIMER_SLACK, 0, 0, 0); }
static int gala_timer_slack(void) { return prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0); }
*/
import "C"

import "time"

// timerSlack is how late a timer of the calling thread may be.
func timerSlack() time.Duration { return time.Duration(C.gala_timer_slack()) }
