package supervisor

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// spawn starts the worker of an assignment.
func spawn(worker string, cache ComputeCache, dir runDir, a *galav1.Assignment) (*process, error) {
	return spawnAs(worker, verbRun, dir, workerEnv(os.Environ(), a.GetDevice(), cache, places(a)...))
}

// places are where a worker reads and writes.
func places(a *galav1.Assignment) []string {
	all := []string{a.GetInput()}
	for _, o := range a.GetOutputs() {
		all = append(all, o.GetUrl())
	}
	return all
}

// spawnAs starts the process of a runtime directory in its own session: no
// terminal, no group and no pipe ties it to this agent.
func spawnAs(worker, verb string, dir runDir, env []string) (*process, error) {
	out, err := os.OpenFile(dir.path(fileStderr), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open worker output: %w", err)
	}
	defer out.Close()
	cmd := exec.Command(worker, verb, "--dir", string(dir))
	cmd.Dir = string(dir)
	cmd.Env = env
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start worker: %w", err)
	}
	restrain(cmd.Process.Pid)
	return adoptChild(cmd, dir)
}

// adoptChild records who the child is, for the next agent. A child that cannot
// be recorded or watched is not left running.
func adoptChild(cmd *exec.Cmd, dir runDir) (*process, error) {
	p, err := openProcess(cmd.Process.Pid, cmd)
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, err
	}
	id, err := identify(p.pid)
	if err == nil {
		err = dir.writeJSON(fileProcess, id)
	}
	if err != nil {
		_ = p.signal(syscall.SIGKILL)
		p.reap()
		return nil, err
	}
	return p, nil
}

// restrain makes the kernel prefer a worker to its agent when memory runs out,
// and keeps core files of gigabytes off the disk. Best effort: a worker runs
// without it as well.
func restrain(pid int) {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte("300"), 0)
	_ = unix.Prlimit(pid, unix.RLIMIT_CORE, &unix.Rlimit{}, nil)
}

// passed are the variables that a worker may inherit, by name or prefix: what
// loaders, TLS and proxies need, and nothing of whoever started the agent. On a
// driver twin the libraries are found by LD_LIBRARY_PATH and its devices by GALA_TWIN.
var passed = []string{
	"LD_LIBRARY_PATH=", "GALA_TWIN=", "SSL_CERT_FILE=", "SSL_CERT_DIR=", "TZ=", "TMPDIR=", "NVIDIA_", "GALA_WORKER_",
	"HTTP_PROXY=", "HTTPS_PROXY=", "NO_PROXY=", "http_proxy=", "https_proxy=", "no_proxy=",
}

// credentials are for buckets, by the scheme of their addresses. A worker that
// neither reads nor writes such a one does not have them: what it reads may be made
// to take it over.
var credentials = map[string][]string{
	"s3://": {
		"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_SESSION_TOKEN=", "AWS_REGION=", "AWS_DEFAULT_REGION=", "AWS_PROFILE=",
		"AWS_CONFIG_FILE=", "AWS_SHARED_CREDENTIALS_FILE=", "AWS_ROLE_ARN=", "AWS_WEB_IDENTITY_TOKEN_FILE=",
		"AWS_CONTAINER_CREDENTIALS_", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_EC2_METADATA_DISABLED=",
	},
	"gs://": {"GOOGLE_APPLICATION_CREDENTIALS=", "GCE_METADATA_HOST=", "STORAGE_EMULATOR_HOST="},
	"azblob://": {
		"AZURE_STORAGE_ACCOUNT=", "AZURE_STORAGE_KEY=", "AZURE_STORAGE_SAS_TOKEN=",
		"AZURE_STORAGE_DOMAIN=", "AZURE_STORAGE_PROTOCOL=", "AZURE_STORAGE_IS_LOCAL_EMULATOR=",
	},
}

// workerEnv shows the worker the one device of its assignment, by its UUID and no
// number that means another after the next boot, with the cache of a GPU's driver, and
// the credentials of the kinds of buckets that its source and its outputs are in.
func workerEnv(environ []string, device string, cache ComputeCache, places ...string) []string {
	if device == "cpu" {
		device = ""
	}
	names := slices.Clone(passed)
	for scheme, theirs := range credentials {
		if slices.ContainsFunc(places, func(p string) bool { return strings.HasPrefix(strings.ToLower(p), scheme) }) {
			names = append(names, theirs...)
		}
	}
	env := []string{"LANG=C.UTF-8", "CUDA_DEVICE_ORDER=PCI_BUS_ID", "CUDA_VISIBLE_DEVICES=" + device}
	if device != "" {
		env = append(env, cache.environ()...)
	}
	for _, v := range environ {
		if slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(v, name) }) {
			env = append(env, v)
		}
	}
	return env
}
