package origin

import (
	"net/http"
	"path"
	"strings"
)

// object is a checked name: slash-separated elements, each safe on any file
// system, none hidden.
type object struct {
	job    string // first element, the tree
	folder string // between job and name: "" for the manifests, else the rendition
	name   string // "" for a folder
}

// path is the object's name below the root.
func (o object) path() string { return path.Join(o.job, o.folder, o.name) }

// dir is the folder that holds the object, below the root.
func (o object) dir() string { return path.Join(o.job, o.folder) }

const (
	maxElement = 128
	maxDepth   = 8
)

// parseObject reads what follows Prefix in a decoded URL path. A trailing slash
// names a folder.
func parseObject(urlPath string) (object, error) {
	rest, ok := strings.CutPrefix(urlPath, Prefix)
	if !ok {
		return object{}, errNotFound
	}
	if rest == "" {
		return object{}, nil
	}
	elements := strings.Split(rest, "/")
	last := len(elements) - 1
	isFolder := elements[last] == ""
	if isFolder {
		elements = elements[:last]
	}
	if err := checkElements(elements); err != nil {
		return object{}, err
	}
	return objectOf(elements, isFolder), nil
}

func objectOf(elements []string, isFolder bool) object {
	o := object{job: elements[0]}
	switch last := len(elements) - 1; {
	case isFolder:
		o.folder = path.Join(elements[1:]...)
	case last > 0:
		o.folder, o.name = path.Join(elements[1:last]...), elements[last]
	}
	return o
}

func checkElements(elements []string) error {
	if len(elements) > maxDepth {
		return &status{http.StatusBadRequest, "the path has too many folders: 8 at most"}
	}
	for _, e := range elements {
		if !safeElement(e) {
			return &status{http.StatusBadRequest, "the path has an element that is empty, hidden or not made of " +
				"letters, digits and ._~+=@,- (128 at most)"}
		}
	}
	return nil
}

// safeElement excludes dot files, so that the origin's own files cannot be
// named, and everything that some file system or proxy reads in its own way.
func safeElement(e string) bool {
	if e == "" || len(e) > maxElement || e[0] == '.' || e[0] == '-' {
		return false
	}
	for i := range len(e) {
		if !safeByte(e[i]) {
			return false
		}
	}
	return true
}

func safeByte(b byte) bool {
	switch {
	case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9':
		return true
	}
	return strings.IndexByte("._~+=@,-", b) >= 0
}
