package e2e

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/galafarm/gala/e2e/farm"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/bucket"
	"github.com/galafarm/gala/media/input"
)

// azureKey is that of the test's own account, "studio".
const azureKey = "Z2FsYSBzaWducyB3aXRoIHRoaXMga2V5LCBub2JvZHkgZWxzZSBkb2VzIQ=="

// azureTo is where jobs write in the only container.
const azureTo = "azblob://programmes/live"

// startAzurite runs Microsoft's emulator, which checks every signature, gives this
// process and the farms that it starts the account, and is the address of a
// container, which is for everybody to read or for nobody.
func startAzurite(t *testing.T, public bool) string {
	t.Helper()
	program, err := filepath.Abs("../tools/azurite/node_modules/azurite/dist/src/blob/main.js")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("%s is not installed: run tools/setup/azurite.sh", program)
	}
	server := freeAddress(t)
	for name, value := range map[string]string{
		"AZURE_STORAGE_ACCOUNT": "studio", "AZURE_STORAGE_KEY": azureKey, "AZURE_STORAGE_SAS_TOKEN": "",
		"AZURE_STORAGE_DOMAIN": server, "AZURE_STORAGE_PROTOCOL": "http", "AZURE_STORAGE_IS_LOCAL_EMULATOR": "",
		"AZURITE_ACCOUNTS": "studio:" + azureKey,
	} {
		t.Setenv(name, value)
	}
	host, port, _ := strings.Cut(server, ":")
	start(t, "http://"+server, exec.Command("node", program, "--inMemoryPersistence", "--disableTelemetry", "--silent", "--blobHost", host, "--blobPort", port))
	container := "http://" + server + "/studio/programmes"
	req, err := http.NewRequest(http.MethodPut, container+"?restype=container", nil)
	if err != nil {
		t.Fatal(err)
	}
	if public {
		req.Header.Set("X-Ms-Blob-Public-Access", "container")
	}
	if err := (&bucket.Signer{}).Authorize(req, &url.URL{Scheme: "azblob", Host: "programmes"}); err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusCreated {
		t.Fatalf("no container is made: %s", answer.Status)
	}
	return container
}

// start runs a server until the test ends, and waits until it answers. One that ends
// by itself fails the test with what it said.
func start(t *testing.T, at string, cmd *exec.Cmd) {
	t.Helper()
	said, err := os.Create(filepath.Join(t.TempDir(), "output"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stdout, cmd.Stderr = said, said
	if err := errors.Join(cmd.Start(), said.Close()); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if text, _ := os.ReadFile(said.Name()); t.Failed() {
			t.Logf("%s: %v\n%s", cmd.Path, cmd.ProcessState, text)
		}
	})
	farm.Until(t, 60*time.Second, cmd.Path+" answers", func() bool {
		select {
		case <-ended:
			t.Fatalf("%s has ended", cmd.Path) // the clean-up tells what it said
		default:
		}
		answer, err := http.Get(at)
		if err == nil {
			_ = answer.Body.Close()
		}
		return err == nil
	})
}

// blobs are the names below a folder of the container.
func blobs(t *testing.T, container, folder string) []string {
	t.Helper()
	answer, err := http.Get(container + "?restype=container&comp=list&prefix=" + folder + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("list %s: %s, %v", folder, answer.Status, err)
	}
	var all []string
	for _, m := range regexp.MustCompile(`<Name>([^<]+)</Name>`).FindAllStringSubmatch(string(text), -1) {
		all = append(all, m[1])
	}
	return all
}

// viewed is the address of a server in front of a container, which compresses
// playlists: Azure keeps them as they are written.
func viewed(t *testing.T, container string) string {
	t.Helper()
	u, err := url.Parse(container)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(u)
	proxy.ModifyResponse = func(answer *http.Response) error {
		if path.Ext(answer.Request.URL.Path) != ".m3u8" || answer.StatusCode != http.StatusOK {
			return nil
		}
		defer answer.Body.Close()
		var small bytes.Buffer
		z := gzip.NewWriter(&small)
		_, err := io.Copy(z, answer.Body)
		answer.Body = io.NopCloser(&small)
		answer.Header.Set("Content-Encoding", "gzip")
		answer.Header.Del("Content-Length")
		answer.ContentLength = -1
		return errors.Join(err, z.Close())
	}
	srv := httptest.NewServer(proxy)
	t.Cleanup(srv.Close)
	return srv.URL
}

// A clip and a live job in a container of Azure's, which then is the source of
// another clip: through a worker that is killed, with what left the window deleted,
// and with the headers that viewers need.
func TestAzureBlobs(t *testing.T) {
	container := startAzurite(t, true)
	view := viewed(t, container)
	f := farm.Start(t, "--allow-source", "azblob://programmes/*")
	c := f.Client()
	f.Must("vod", "queue", "--id", "clip", "--ladder", "mini", "--mp4", "all", "--to", azureTo, "testcard:?size=320x240&duration=20s")
	done(t, f, c, "clip")
	verifyAt(t, f, view+"/live/clip")
	var file string
	for _, name := range blobs(t, container, "live/clip") {
		if path.Ext(name) == ".mp4" && !strings.Contains(name, "init-") {
			file = name
		}
	}
	f.Must("vod", "queue", "--id", "again", "--ladder", "mini", "azblob://programmes/"+file)
	done(t, f, c, "again")
	verifyAt(t, f, f.Origin("again"))

	f.Must("live", "submit", "--id", "gala", "--input", card, "--ladder", "mini", "--window", "12s", "--to", azureTo)
	before := segments(t, f, c, "gala", 3)
	signal(t, theWorker(t, f), syscall.SIGKILL)
	job := goesOn(t, f, c, "gala", newest(before), 16)
	if job.GetAttempts() != 2 {
		t.Errorf("%d attempts", job.GetAttempts())
	}
	kept := map[string]int{}
	var segment string
	for _, name := range blobs(t, container, "live/gala") {
		if path.Ext(name) == ".m4s" {
			kept[path.Dir(name)]++
			segment = name
		}
	}
	for name, n := range kept {
		if n > 6+6+4 {
			t.Errorf("%s keeps %d segments of a window of 6", name, n)
		}
	}
	for name, want := range map[string][2]string{
		"live/gala/master.m3u8": {"application/vnd.apple.mpegurl", "s-maxage=1"}, "live/gala/manifest.mpd": {"application/dash+xml", "s-maxage=1"},
		segment: {"video/mp4", "immutable"},
	} {
		answer, err := http.Head(container + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if h := answer.Header; h.Get("Content-Type") != want[0] || !strings.Contains(h.Get("Cache-Control"), want[1]) {
			t.Errorf("%s is %s, %s", name, h.Get("Content-Type"), h.Get("Cache-Control"))
		}
	}
	stopped(t, f, c, "gala")
	verifyAt(t, f, view+"/live/gala")
}

func TestFrozenHostWakesUpAtAzure(t *testing.T) {
	view := viewed(t, startAzurite(t, true))
	frozenHost(t, azureTo, view+"/live/gala/", view+"/live/gala")
}

// A container that is not there, and a key that is wrong, fail a job in words that
// hold no key.
func TestAzureThatRefuses(t *testing.T) {
	startAzurite(t, false)
	t.Setenv("AZURE_STORAGE_KEY", base64.StdEncoding.EncodeToString([]byte("hunter2")))
	f := farm.Start(t, "--allow-source", "azblob://*")
	c := f.Client()
	f.Must("vod", "queue", "--id", "out", "--ladder", "mini", "--to", azureTo, "testcard:?size=320x240&duration=2s")
	f.Must("vod", "queue", "--id", "in", "--ladder", "mini", "azblob://programmes/none.mp4")
	for id, code := range map[string]media.Code{"out": media.SinkError, "in": media.SourceError} {
		job := ended(t, f, c, id)
		if e := job.GetError(); e.GetCode() != string(code) || !strings.Contains(e.GetMessage(), "403") || e.GetAdvice() == "" || strings.Contains(job.String()+f.Log(), os.Getenv("AZURE_STORAGE_KEY")) {
			t.Errorf("%s: %v with %v", id, job.GetState(), e)
		}
	}
}

// The key and a shared access signature both open an object whose name wants
// escaping, wherever it is sought in; a signature for another right does not.
func TestAzureSignatures(t *testing.T) {
	container := startAzurite(t, false)
	const source = "azblob://programmes/a%20b/c+d&e=f%25.bin"
	body := strings.Repeat("0123456789abcdef", 1<<16)
	req, err := http.NewRequest(http.MethodPut, container+"/a%20b/c%2Bd%26e%3Df%25.bin", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Ms-Blob-Type", "BlockBlob")
	u := &url.URL{Scheme: "azblob", Host: "programmes"}
	if err := (&bucket.Signer{}).Authorize(req, u); err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusCreated {
		t.Fatal(answer.Status)
	}
	for name, sas := range map[string]string{"by key": "", "by signature": signature(t, "r")} {
		t.Setenv("AZURE_STORAGE_SAS_TOKEN", sas)
		r, err := input.Open(t.Context(), source, input.Rules{Patterns: []string{"azblob://programmes/*"}, Signer: &bucket.Signer{}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != body {
			t.Errorf("%s: read %d bytes of %d, %v", name, len(got), len(body), err)
		}
		if _, err := r.Seek(700_003, io.SeekStart); err != nil || !r.Seekable() || r.Size() != int64(len(body)) {
			t.Errorf("%s: size %d, %v", name, r.Size(), err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != body[700_003:] {
			t.Errorf("%s: read %d bytes after a seek, %v", name, len(got), err)
		}
		_ = r.Close()
	}
	t.Setenv("AZURE_STORAGE_SAS_TOKEN", signature(t, "w"))
	_, err = input.Open(t.Context(), source, input.Rules{Patterns: []string{"*"}, Signer: &bucket.Signer{}})
	if err == nil || !strings.Contains(err.Error(), "403") || strings.Contains(err.Error(), "sig=") {
		t.Errorf("by another right: %v", err)
	}
}

// signature is a service SAS for the container ("Create a service SAS", version
// 2020-12-06 and later: sixteen lines).
func signature(t *testing.T, right string) string {
	t.Helper()
	const version = "2021-12-02"
	expiry := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	key, err := base64.StdEncoding.DecodeString(azureKey)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, strings.Join([]string{right, "", expiry, "/blob/studio/programmes", "", "", "", version, "c", "", "", "", "", "", "", ""}, "\n"))
	return url.Values{"sp": {right}, "se": {expiry}, "sv": {version}, "sr": {"c"}, "sig": {base64.StdEncoding.EncodeToString(mac.Sum(nil))}}.Encode()
}
