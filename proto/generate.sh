#!/usr/bin/env bash
# Lints proto/ and writes the Go code beside it. Every program it runs is
# pinned in tools/go.mod; the validation rules' .proto comes from the Go module
# of that name and is not committed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

protovalidate=github.com/bufbuild/protovalidate@v1.2.2

module_dir=$(go mod download -json "$protovalidate" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
rm -rf deps
mkdir -p deps/protovalidate/buf/validate
cp "$module_dir/proto/protovalidate/buf/validate/validate.proto" deps/protovalidate/buf/validate/
chmod -R u+w deps

buf() { go tool -modfile=../tools/go.mod buf "$@"; }
buf format --exit-code --path gala >/dev/null || {
  echo "proto/ is not formatted: (cd proto && go tool -modfile=../tools/go.mod buf format -w --path gala)" >&2
  exit 1
}
buf lint --path gala
buf generate
