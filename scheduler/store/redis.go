package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
	"github.com/redis/go-redis/v9"
)

// The keys share a hash tag, so that one script may touch them all and a
// Cluster keeps them in one slot:
//
//	gala:{jobs}:<id>      hash: rev, seq, body
//	gala:{jobs}::order    sorted set: id by seq
//	gala:{jobs}::seq      the last seq given
//	gala:{jobs}::changes  stream: n (counts every write), id
//	gala:{jobs}::n        the last n
//	gala:{jobs}::cordons  hash: cordon by agent/device
//	gala:{jobs}::events:<id>  stream: the job's events, entry SEQ-0
//
// An id holds no colon, so no job can take the place of the others.
const (
	keyJob     = "gala:{jobs}:"
	keyOrder   = "gala:{jobs}::order"
	keySeq     = "gala:{jobs}::seq"
	keyChanges = "gala:{jobs}::changes"
	keyN       = "gala:{jobs}::n"
	keyCordons = "gala:{jobs}::cordons"
	keyEvents  = "gala:{jobs}::events:"
)

// changesKept bounds the stream of changes. A watcher that fell further
// behind sees the gap in n and reads everything anew.
const changesKept = 10000

// Redis keeps records in Redis 6 or later.
type Redis struct {
	client redis.UniversalClient
	// blocking reads of watchers have connections of their own, so that they
	// never keep a writer waiting for one.
	watch redis.UniversalClient
}

// recordEvents appends those events to the stream at key that it lacks: ARGV
// from first is how many are kept, then number and body of each.
const recordEvents = `
local function record(key, first)
  local have, last = 0, redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
  if last then have = tonumber(string.match(last[1], '^%d+')) end
  for i = first + 1, #ARGV, 2 do
    if tonumber(ARGV[i]) > have then redis.call('XADD', key, 'MAXLEN', '~', ARGV[first], ARGV[i] .. '-0', 'e', ARGV[i + 1]) end
  end
end
`

// createScript: KEYS job order seq changes n events; ARGV id body kept, then as recordEvents.
// Returns {1, seq} or, when the id is taken, {0, seq, body}.
var createScript = redis.NewScript(recordEvents + `
local seq = redis.call('HGET', KEYS[1], 'seq')
if seq then return {0, seq, redis.call('HGET', KEYS[1], 'body')} end
seq = redis.call('INCR', KEYS[3])
redis.call('HSET', KEYS[1], 'rev', 1, 'seq', seq, 'body', ARGV[2])
redis.call('ZADD', KEYS[2], seq, ARGV[1])
local n = redis.call('INCR', KEYS[5])
redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[3], '*', 'n', n, 'id', ARGV[1])
record(KEYS[6], 4)
return {1, tostring(seq)}`)

// updateScript: KEYS job changes n events; ARGV id body revision kept, then as recordEvents.
// Returns {1, seq}, {0, revision} on a conflict, {-1} when there is no record.
var updateScript = redis.NewScript(recordEvents + `
local rev = redis.call('HGET', KEYS[1], 'rev')
if not rev then return {-1} end
if rev ~= ARGV[3] then return {0, rev} end
redis.call('HSET', KEYS[1], 'rev', tonumber(rev) + 1, 'body', ARGV[2])
local n = redis.call('INCR', KEYS[3])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], '*', 'n', n, 'id', ARGV[1])
record(KEYS[4], 5)
return {1, redis.call('HGET', KEYS[1], 'seq')}`)

// restoreScript: KEYS job order seq changes n events; ARGV id body revision kept, then as recordEvents.
// Returns {1, seq}, or {0, revision} when the store holds it or a later one.
var restoreScript = redis.NewScript(recordEvents + `
local rev = redis.call('HGET', KEYS[1], 'rev')
if rev and tonumber(rev) >= tonumber(ARGV[3]) then return {0, rev} end
local seq = redis.call('HGET', KEYS[1], 'seq') or redis.call('INCR', KEYS[3])
redis.call('HSET', KEYS[1], 'rev', tonumber(ARGV[3]) + 1, 'seq', seq, 'body', ARGV[2])
redis.call('ZADD', KEYS[2], seq, ARGV[1])
local n = redis.call('INCR', KEYS[5])
redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[4], '*', 'n', n, 'id', ARGV[1])
record(KEYS[6], 5)
return {1, tostring(seq)}`)

// Create implements Store.
func (r *Redis) Create(ctx context.Context, j job.Job) (job.Job, error) {
	j.Revision = 1
	body, err := encode(j)
	if err != nil {
		return job.Job{}, err
	}
	id := j.Spec.ID
	keys := []string{keyJob + id, keyOrder, keySeq, keyChanges, keyN, keyEvents + id}
	args, err := withEvents(j.Events, id, body, changesKept)
	if err != nil {
		return job.Job{}, err
	}
	got, err := createScript.Run(ctx, r.client, keys, args...).Slice()
	if err != nil {
		return job.Job{}, fmt.Errorf("creating job %s in redis: %w", id, err)
	}
	seq, err := seqOf(got)
	if err != nil {
		return job.Job{}, fmt.Errorf("creating job %s in redis: %w", id, err)
	}
	if created := got[0] == int64(1); created {
		return decode(id, seq, body)
	}
	existing, err := decode(id, seq, []byte(fmt.Sprint(got[2])))
	if err != nil {
		return job.Job{}, err
	}
	return existing, fmt.Errorf("job %s: %w", id, ErrExists)
}

// Get implements Store.
func (r *Redis) Get(ctx context.Context, id string) (job.Job, error) {
	got, err := r.client.HMGet(ctx, keyJob+id, "seq", "body").Result()
	if err != nil {
		return job.Job{}, fmt.Errorf("reading job %s from redis: %w", id, err)
	}
	return readHash(id, got)
}

// Update implements Store.
func (r *Redis) Update(ctx context.Context, j job.Job) (job.Job, error) {
	id, read := j.Spec.ID, j.Revision
	j.Revision++
	body, err := encode(j)
	if err != nil {
		return job.Job{}, err
	}
	keys := []string{keyJob + id, keyChanges, keyN, keyEvents + id}
	args, err := withEvents(j.Unkept(), id, body, read, changesKept)
	if err != nil {
		return job.Job{}, err
	}
	got, err := updateScript.Run(ctx, r.client, keys, args...).Slice()
	if err != nil {
		return job.Job{}, fmt.Errorf("writing job %s to redis: %w", id, err)
	}
	switch got[0] {
	case int64(-1):
		return job.Job{}, fmt.Errorf("job %s: %w", id, ErrNotFound)
	case int64(0):
		return job.Job{}, fmt.Errorf("job %s: revision %d, now %v: %w", id, read, got[1], ErrConflict)
	}
	seq, err := seqOf(got)
	if err != nil {
		return job.Job{}, fmt.Errorf("writing job %s to redis: %w", id, err)
	}
	return decode(id, seq, body)
}

// Restore implements Store.
func (r *Redis) Restore(ctx context.Context, j job.Job) (job.Job, error) {
	id, had := j.Spec.ID, j.Revision
	j.Revision++
	body, err := encode(j)
	if err != nil {
		return job.Job{}, err
	}
	keys := []string{keyJob + id, keyOrder, keySeq, keyChanges, keyN, keyEvents + id}
	args, err := withEvents(j.Events, id, body, had, changesKept)
	if err != nil {
		return job.Job{}, err
	}
	got, err := restoreScript.Run(ctx, r.client, keys, args...).Slice()
	if err != nil {
		return job.Job{}, fmt.Errorf("restoring job %s to redis: %w", id, err)
	}
	if got[0] == int64(0) {
		return job.Job{}, fmt.Errorf("job %s: revision %d, now %v: %w", id, had, got[1], ErrConflict)
	}
	seq, err := seqOf(got)
	if err != nil {
		return job.Job{}, fmt.Errorf("restoring job %s to redis: %w", id, err)
	}
	return decode(id, seq, body)
}

// List implements Store.
func (r *Redis) List(ctx context.Context, before uint64, limit int) ([]job.Job, error) {
	if limit <= 0 {
		return nil, nil
	}
	upper := "+inf"
	if before > 0 {
		upper = "(" + strconv.FormatUint(before, 10)
	}
	ids, err := r.client.ZRangeArgs(ctx, redis.ZRangeArgs{
		Key: keyOrder, Start: upper, Stop: "-inf", ByScore: true, Rev: true, Count: int64(limit),
	}).Result()
	if err != nil {
		return nil, fmt.Errorf("listing jobs in redis: %w", err)
	}
	return r.read(ctx, ids)
}

// read gets many records in one round trip; ids that are gone are left out.
func (r *Redis) read(ctx context.Context, ids []string) ([]job.Job, error) {
	pipe := r.client.Pipeline()
	for _, id := range ids {
		pipe.HMGet(ctx, keyJob+id, "seq", "body")
	}
	cmds, err := pipe.Exec(ctx)
	if err != nil && len(ids) > 0 {
		return nil, fmt.Errorf("reading %d jobs from redis: %w", len(ids), err)
	}
	jobs := make([]job.Job, 0, len(ids))
	for i, cmd := range cmds {
		j, err := readHash(ids[i], cmd.(*redis.SliceCmd).Val())
		switch {
		case errors.Is(err, ErrNotFound):
		case err != nil:
			return nil, err
		default:
			jobs = append(jobs, j)
		}
	}
	return jobs, nil
}

// PutCordon implements Store.
func (r *Redis) PutCordon(ctx context.Context, c fleet.Cordon) error {
	body, err := encodeCordon(c)
	if err != nil {
		return err
	}
	if err := r.client.HSet(ctx, keyCordons, cordonKey(c.Agent, c.Device), body).Err(); err != nil {
		return fmt.Errorf("writing the cordon of %s to redis: %w", c, err)
	}
	return nil
}

// DeleteCordons implements Store.
func (r *Redis) DeleteCordons(ctx context.Context, agent, device string) error {
	kept, err := r.client.HGetAll(ctx, keyCordons).Result()
	if err != nil {
		return fmt.Errorf("reading the cordons from redis: %w", err)
	}
	keys := cordonKeys(kept, agent, device)
	if len(keys) == 0 {
		return nil
	}
	if err := r.client.HDel(ctx, keyCordons, keys...).Err(); err != nil {
		return fmt.Errorf("removing cordons from redis: %w", err)
	}
	return nil
}

// Cordons implements Store.
func (r *Redis) Cordons(ctx context.Context) ([]fleet.Cordon, error) {
	kept, err := r.client.HGetAll(ctx, keyCordons).Result()
	if err != nil {
		return nil, fmt.Errorf("reading the cordons from redis: %w", err)
	}
	return readCordons(kept)
}

// Ping implements Store.
func (r *Redis) Ping(ctx context.Context) error {
	if err := r.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("asking redis: %w", err)
	}
	return nil
}

// Close implements Store.
func (r *Redis) Close() error { return errors.Join(r.client.Close(), r.watch.Close()) }

// readHash reads the fields seq and body.
func readHash(id string, got []any) (job.Job, error) {
	if len(got) != 2 || got[0] == nil || got[1] == nil {
		return job.Job{}, fmt.Errorf("job %s: %w", id, ErrNotFound)
	}
	seq, err := strconv.ParseUint(fmt.Sprint(got[0]), 10, 64)
	if err != nil {
		return job.Job{}, fmt.Errorf("job %s: %w: seq: %w", id, ErrRecord, err)
	}
	return decode(id, seq, []byte(fmt.Sprint(got[1])))
}

// seqOf reads the second value of a script's answer.
func seqOf(got []any) (uint64, error) {
	if len(got) < 2 {
		return 0, fmt.Errorf("script answered %v: %w", got, ErrRecord)
	}
	return strconv.ParseUint(fmt.Sprint(got[1]), 10, 64)
}
