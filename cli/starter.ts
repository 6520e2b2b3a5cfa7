// The starter project of `moe init`: one model, small enough to train in half a minute, a text to train it on, and a
// TypeScript project around it. In: a name. Out: files by path.

import { version } from "./version.ts";

export function starterFiles(name: string): ReadonlyMap<string, string> {
  return new Map([
    ["small.moe", model],
    ["data/rhymes.txt", rhymes],
    ["package.json", `${JSON.stringify(manifest(name), null, 2)}\n`],
    ["tsconfig.json", `${JSON.stringify(typescript, null, 2)}\n`],
    [".gitignore", "node_modules\ndist\nruns\n.moe-cache\n"],
    ["README.md", readme(name)],
  ]);
}

const model = `/// A small mixture of experts that learns nursery rhymes letter by letter.

import std.attention { CausalAttention }
import std.experts { SwiGLU }
import std.norms { RMSNorm }
import std.routers { LossFree }

/// Eight experts, two for each letter; the rate is how fast the router evens their load. Change the numbers and train again.
moe Experts(D)(x: [D]) -> [D] {
  routed SwiGLU(D, 2 * D) * 8
  router LossFree { k = 2, rate = 5e-3 }
}

layer Block(D)(x: [T, D]) -> [T, D] {
  x = x + CausalAttention(D, heads = 4)(RMSNorm(x))
  x + Experts(D)(RMSNorm(x))
}

model Small {
  dim D = 64
  modality text = tokens(vocab = 256)
  param table: [text.vocab, D] = normal(0.02)

  x = table[text]
  repeat 2 {
    x = Block(D)(x)
  }
  logits = RMSNorm(x) @ transpose(table)

  loss cross_entropy(logits, text.next)
}

train Small {
  data text = bytes("data/*.txt")
  batch 8 of 64
  optimizer adamw { rate = cosine(1e-2, warmup = 20) }
  steps 200
  evaluate every 40 on 10%
}
`;

const manifest = (name: string): object => ({
  name,
  private: true,
  type: "module",
  scripts: {
    check: "moe check && moe fmt --check",
    train: "moe train small.moe",
    build: "moe build small.moe",
  },
  dependencies: { moelang: `^${version}` },
});

const typescript = {
  compilerOptions: {
    target: "ES2022",
    module: "NodeNext",
    strict: true,
    skipLibCheck: true,
    noEmit: true,
  },
};

const readme = (name: string): string => `# ${name}

A mixture-of-experts model in one file: [small.moe](small.moe).

    npx moe check                 is everything well?
    npx moe train small.moe       trains it into runs/small, about half a minute
    npx moe generate runs/small   lets it speak
    npx moe plan small.moe        what it costs
    npx moe build small.moe       dist/small.js, with types, for your own program

Open \`runs/small/report.html\` to see which expert took which letters. Then change \`k = 2\` or \`* 8\` in small.moe and train again.
Put your own text into \`data/\`.
`;

/** Traditional rhymes, in the public domain. */
const rhymes = `Hey diddle diddle, the cat and the fiddle,
The cow jumped over the moon;
The little dog laughed to see such sport,
And the dish ran away with the spoon.

Humpty Dumpty sat on a wall,
Humpty Dumpty had a great fall.
All the king's horses and all the king's men
Couldn't put Humpty together again.

Jack and Jill went up the hill
To fetch a pail of water;
Jack fell down and broke his crown,
And Jill came tumbling after.

Little Miss Muffet sat on a tuffet,
Eating her curds and whey;
Along came a spider, who sat down beside her,
And frightened Miss Muffet away.

Twinkle, twinkle, little star,
How I wonder what you are!
Up above the world so high,
Like a diamond in the sky.

When the blazing sun is gone,
When he nothing shines upon,
Then you show your little light,
Twinkle, twinkle, all the night.

Baa, baa, black sheep, have you any wool?
Yes sir, yes sir, three bags full.
One for the master, and one for the dame,
And one for the little boy who lives down the lane.

Hickory dickory dock,
The mouse ran up the clock.
The clock struck one, the mouse ran down,
Hickory dickory dock.

Mary had a little lamb,
Its fleece was white as snow;
And everywhere that Mary went
The lamb was sure to go.

It followed her to school one day,
Which was against the rule;
It made the children laugh and play
To see a lamb at school.

London Bridge is falling down,
Falling down, falling down,
London Bridge is falling down,
My fair lady.

Mary, Mary, quite contrary,
How does your garden grow?
With silver bells and cockle shells
And pretty maids all in a row.

Old King Cole was a merry old soul,
And a merry old soul was he;
He called for his pipe, and he called for his bowl,
And he called for his fiddlers three.

One, two, buckle my shoe;
Three, four, knock at the door;
Five, six, pick up sticks;
Seven, eight, lay them straight;
Nine, ten, a big fat hen.

Pease porridge hot, pease porridge cold,
Pease porridge in the pot, nine days old.
Some like it hot, some like it cold,
Some like it in the pot, nine days old.

Rain, rain, go away,
Come again another day.

Ring a ring o' roses,
A pocket full of posies,
A-tishoo! A-tishoo!
We all fall down.

Row, row, row your boat
Gently down the stream.
Merrily, merrily, merrily, merrily,
Life is but a dream.

Sing a song of sixpence, a pocket full of rye,
Four and twenty blackbirds baked in a pie.
When the pie was opened, the birds began to sing;
Wasn't that a dainty dish to set before the king?

There was an old woman who lived in a shoe,
She had so many children, she didn't know what to do.

This little pig went to market,
This little pig stayed at home,
This little pig had roast beef,
This little pig had none.
`;
