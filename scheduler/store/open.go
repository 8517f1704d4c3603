package store

import (
	"context"
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
// while the fleet's beats still have time to spare.
const commandTimeout = 2 * time.Second

func dialScheme(scheme, rest, rawURL string) (redis.UniversalClient, error) {
	switch scheme {
	case "redis+sentinel":
		o, err := redis.ParseFailoverURL("redis://" + rest)
		if err != nil {
			return nil, err
		}
		o.ContextTimeoutEnabled, o.ReadTimeout, o.WriteTimeout = true, commandTimeout, commandTimeout
		return redis.NewFailoverClient(o), nil
	case "redis+cluster":
		o, err := redis.ParseClusterURL("redis://" + rest)
		if err != nil {
			return nil, err
		}
		o.ContextTimeoutEnabled, o.ReadTimeout, o.WriteTimeout = true, commandTimeout, commandTimeout
		return redis.NewClusterClient(o), nil
	}
	o, err := redis.ParseURL(rawURL)
	if err != nil {
		return nil, err
	}
	o.ContextTimeoutEnabled, o.ReadTimeout, o.WriteTimeout = true, commandTimeout, commandTimeout
	return redis.NewClient(o), nil
}

// redacted is the URL without its password, for messages.
func redacted(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "(unreadable)"
	}
	return u.Redacted()
}
