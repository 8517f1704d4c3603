package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
)

// ComputeCache is the directory in which NVIDIA's driver keeps the kernels that it
// has compiled, for all processes that an agent starts on a GPU; "" means that each
// compiles its own. Without it the driver asks for HOME, which workers do not have.
type ComputeCache string

// cacheBytes bounds a compute cache; the driver removes what was not used for
// longest. Kernels of FFmpeg are a few megabytes for each kind of GPU and driver.
const cacheBytes = 256 << 20

// MakeComputeCache makes the directory for this user alone: what lies there runs on
// the GPU in every worker.
func MakeComputeCache(dir string) (ComputeCache, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = os.Chmod(dir, 0o700)
	}
	if err != nil {
		return "", fmt.Errorf("make the directory for compiled GPU kernels: %w", err)
	}
	return ComputeCache(dir), nil
}

// environ tells the driver of it, by the names of the CUDA programming guide (CUDA
// environment variables, JIT compilation).
func (c ComputeCache) environ() []string {
	if c == "" {
		return nil
	}
	return []string{"CUDA_CACHE_PATH=" + string(c), fmt.Sprintf("CUDA_CACHE_MAXSIZE=%d", cacheBytes)}
}
