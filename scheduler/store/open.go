package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Open connects to the Redis that an URL names, and asks it once:
//
//	redis://[user:password@]host:port/db   rediss:// with TLS
//	unix:///path/to/socket?db=0
//	redis+sentinel://host:port/?master_name=NAME[&addr=host:port…]
//	redis+cluster://host:port[?addr=host:port…]
func Open(ctx context.Context, rawURL string) (*Redis, error) {
	Silence()
	client, err := dial(rawURL)
	if err != nil {
		return nil, err
	}
	watch, err := dial(rawURL)
	if err != nil {
		return nil, err
	}
	r := &Redis{client: client, watch: watch}
	if err := r.Ping(ctx); err != nil {
		_ = r.Close()
		return nil, fmt.Errorf("%s: %w: is redis-server running there?", redacted(rawURL), err)
	}
	return r, nil
}

func dial(rawURL string) (redis.UniversalClient, error) {
	scheme, rest, _ := strings.Cut(rawURL, "://")
	client, err := dialScheme(scheme, rest, rawURL)
	if err != nil {
		return nil, fmt.Errorf("redis URL %s: %w: want redis://HOST:PORT/DB, unix:///SOCKET, redis+sentinel://… or redis+cluster://…", redacted(rawURL), err)
	}
	return client, nil
}

// A command waits at most this long: a Redis that hangs must show as an error
// while the fleet's beats still have time to spare. Callers try again, so the
// client itself hardly does.
const (
	commandTimeout = 2 * time.Second
	commandRetries = 1
	dialTries      = 1
)

func dialScheme(scheme, rest, rawURL string) (redis.UniversalClient, error) {
	switch scheme {
	case "redis+sentinel":
		return dialSentinel("redis://" + rest)
	case "redis+cluster":
		return dialCluster("redis://" + rest)
	}
	o, err := redis.ParseURL(rawURL)
	if err != nil {
		return nil, err
	}
	o.ContextTimeoutEnabled, o.ReadTimeout, o.WriteTimeout, o.DialTimeout = true, commandTimeout, commandTimeout, commandTimeout
	o.MaxRetries, o.DialerRetries = commandRetries, dialTries
	return redis.NewClient(o), nil
}

func dialSentinel(rawURL string) (redis.UniversalClient, error) {
	o, err := redis.ParseFailoverURL(rawURL)
	if err != nil {
		return nil, err
	}
	if o.MasterName == "" {
		return nil, errors.New("a sentinel URL needs ?master_name=NAME")
	}
	o.ContextTimeoutEnabled, o.ReadTimeout, o.WriteTimeout, o.DialTimeout = true, commandTimeout, commandTimeout, commandTimeout
	o.MaxRetries, o.DialerRetries = commandRetries, dialTries
	return redis.NewFailoverClient(o), nil
}

func dialCluster(rawURL string) (redis.UniversalClient, error) {
	o, err := redis.ParseClusterURL(rawURL)
	if err != nil {
		return nil, err
	}
	o.ContextTimeoutEnabled, o.ReadTimeout, o.WriteTimeout, o.DialTimeout = true, commandTimeout, commandTimeout, commandTimeout
	o.MaxRetries, o.DialerRetries = commandRetries, dialTries
	return redis.NewClusterClient(o), nil
}

// redacted is the URL without its password, for messages.
func redacted(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "(unreadable)"
	}
	return u.Redacted()
}

// Silence keeps the Redis client library from writing to standard error by
// itself: what it would log comes back as errors too.
func Silence() { redis.SetLogger(silent{}) }

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}
