#!/usr/bin/env bash
# hyparquet-writer 0.17.0: in a DOUBLE column of its default encoding all zeros get the sign of the first one: each -0 comes
# back as 0, or each 0 as -0. It happens only where the writer chooses a dictionary, that is where values repeat often
# enough, in columns with nulls and without: zeros among more distinct values keep their signs, and so do all with
# `encoding: 'PLAIN'`.
# A good guess is that a double is stored by its 64 bits, whatever encoding is chosen: Parquet's dictionary holds any bits.
# The cause: the dictionary is a JavaScript Map, whose keys 0 and -0 are one. NaN is one key too, and stays NaN.
#
# Seen with hyparquet 1.31.5 as the reader and Node.js 20 on Linux; the output of this script:
#   0 -0 NaN null -0 0, default (dictionary): 0 0 NaN null 0 0
#   0 -0 NaN null -0 0, PLAIN (plain): 0 -0 NaN null -0 0
#   -0 0 -0 0 0 0, default (dictionary): -0 -0 -0 -0 -0 -0
#   -0 0 -0 0 0 0, PLAIN (plain): -0 0 -0 0 0 0
#   -0 1 2 3 4 0, default (plain): -0 1 2 3 4 0
#   -0 1 2 3 4 0, PLAIN (plain): -0 1 2 3 4 0
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --no-package-lock hyparquet-writer@0.17.0 hyparquet@1.31.5
cat >zeros.mjs <<'JS'
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';

function written(data, encoding) {
  const writer = new ByteWriter();
  const schema = [
    { name: 'root', num_children: 1 },
    { name: 'loss', type: 'DOUBLE', repetition_type: data.includes(null) ? 'OPTIONAL' : 'REQUIRED' },
  ];
  const parquet = new ParquetWriter({ writer, schema });
  parquet.write({ columnData: [{ name: 'loss', data, ...(encoding === 'default' ? {} : { encoding }) }] });
  parquet.finish();
  return writer.getBuffer();
}

const text = (values) => values.map((value) => (Object.is(value, -0) ? '-0' : String(value))).join(' ');

for (const data of [[0, -0, NaN, null, -0, 0], [-0, 0, -0, 0, 0, 0], [-0, 1, 2, 3, 4, 0]]) {
  for (const encoding of ['default', 'PLAIN']) {
    const file = written(data, encoding);
    const { encodings } = parquetMetadata(file).row_groups[0].columns[0].meta_data;
    const kind = encodings.includes('RLE_DICTIONARY') ? 'dictionary' : 'plain';
    const read = (await parquetReadObjects({ file })).map(({ loss }) => loss);
    console.log(`${text(data)}, ${encoding} (${kind}): ${text(read)}`);
  }
}
JS
node zeros.mjs | tee seen
sed -n 's/^#   \(.*: .*\)$/\1/p' "$script" >expected
diff expected seen
