package libav

// glibc gives threads heaps of their own, eight for each processor, and keeps
// what is freed in each. Go's threads, libav's and the encoders' allocate
// pictures that others free: two heaps hold them with some megabytes less and
// are asked too seldom for anybody to wait. Set before Go and its threads start.

/*
#include <malloc.h>

#ifdef M_ARENA_MAX
__attribute__((constructor)) static void gala_few_heaps(void) { mallopt(M_ARENA_MAX, 2); }
#endif
*/
import "C"
