package origin

import (
	"net/http"
	"strings"
)

// checkPreconditions holds a PUT to If-Match and If-None-Match (RFC 9110 §13).
// The caller holds the tree's lock, so that what was true stays true until the
// object is in place.
func (o *Origin) checkPreconditions(r *http.Request, obj object, exists bool) error {
	match, none := r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
	if match == "" && none == "" {
		return nil
	}
	tag := ""
	if exists {
		info, err := o.root.Stat(obj.path())
		if err != nil {
			return err
		}
		if tag, err = o.etag(obj, info); err != nil {
			return err
		}
	}
	if match != "" && !tagListed(match, tag) {
		return &status{http.StatusPreconditionFailed, "If-Match: the object is not the version you read; read it again and decide anew"}
	}
	if none != "" && tagListed(none, tag) {
		return &status{http.StatusPreconditionFailed, "If-None-Match: the object exists already; read it and decide anew"}
	}
	return nil
}

// tagListed: "*" lists whatever exists; a weak tag never matches for a write.
func tagListed(field, tag string) bool {
	if tag == "" {
		return false
	}
	for _, item := range strings.Split(field, ",") {
		item = strings.TrimSpace(item)
		if item == "*" || plainTag(item) == tag {
			return true
		}
	}
	return false
}
