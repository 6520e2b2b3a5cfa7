// The grammar of `train`: settings, each on a line of its own, and phases, which hold settings too.

import { spanOf } from "./layout.ts";
import { stringValue } from "./parse-expressions.ts";
import { StatementParser } from "./parse-statements.ts";
import type { Argument, Name, Setting, StartRule, StartSource, TrainDeclaration } from "./syntax.ts";
import * as T from "./tokens.ts";

type WithoutSpan<S> = S extends unknown ? Omit<S, "span"> : never;
type SettingForm = WithoutSpan<Setting>;

export class TrainParser extends StatementParser {
  readonly train = this.RULE("train", (): TrainDeclaration => {
    const start = this.start();
    const doc = this.docs.get(start);
    const word = this.CONSUME(T.Train);
    let model: Name = { text: "", span: spanOf(word) };
    this.guardedHeader(() => {
      model = this.nameOf(this.CONSUME(T.Name));
      this.ACTION(() => this.expectBody("train"));
    });
    const settings = this.SUBRULE(this.settings);
    return { node: "train", model, ...(doc === undefined ? {} : { doc }), settings, span: this.from(start) };
  });

  /** `{ ... }` with one setting on each line */
  readonly settings = this.RULE("settings", (): readonly Setting[] => {
    const settings: Setting[] = [];
    this.CONSUME(T.LBrace);
    this.prepareSetting();
    this.MANY(() => {
      this.OR([
        { ALT: () => void this.CONSUME(T.Newline) },
        {
          ALT: () => {
            const setting = this.SUBRULE(this.setting);
            if (setting !== undefined) settings.push(setting);
          },
        },
      ]);
      this.prepareSetting();
    });
    this.CONSUME(T.RBrace);
    return settings;
  });

  private prepareSetting(): void {
    this.mendWord(T.settingWords, true);
    this.skipJunk((token) => T.settingWords.some((type) => type === token.tokenType), "a setting");
  }

  readonly setting = this.RULE("setting", (): Setting | undefined => {
    const start = this.start();
    return this.guarded<Setting | undefined>(
      () => {
        const form = this.OR<SettingForm>([
          { ALT: () => this.SUBRULE(this.data) },
          { ALT: () => this.SUBRULE(this.batch) },
          { ALT: () => this.SUBRULE(this.optimizer) },
          { ALT: () => this.SUBRULE(this.evaluate) },
          { ALT: () => this.SUBRULE(this.checkpoint) },
          { ALT: () => this.SUBRULE(this.stop) },
          { ALT: () => this.SUBRULE(this.freeze) },
          { ALT: () => this.SUBRULE(this.rates) },
          { ALT: () => this.SUBRULE(this.trained) },
          { ALT: () => this.SUBRULE(this.begin) },
          { ALT: () => this.SUBRULE(this.phase) },
          { ALT: () => this.SUBRULE(this.number) },
        ]);
        this.ACTION(() => this.expectEnd());
        return { ...form, span: this.from(start) };
      },
      () => undefined,
    );
  });

  readonly data = this.RULE("data", (): SettingForm => {
    this.CONSUME(T.Data);
    const { name: modality, value: source } = this.SUBRULE(this.named);
    return { setting: "data", modality, source };
  });

  readonly batch = this.RULE("batch", (): SettingForm => {
    this.CONSUME(T.Batch);
    const size = this.SUBRULE(this.expression);
    const length = this.OPTION(() => {
      this.CONSUME(T.Of);
      return this.SUBRULE2(this.expression);
    });
    return { setting: "batch", size, ...(length === undefined ? {} : { length }) };
  });

  readonly optimizer = this.RULE("optimizer", (): SettingForm => {
    this.CONSUME(T.Optimizer);
    const name = this.nameOf(this.CONSUME(T.Name));
    const options: readonly Argument[] = this.OPTION(() => this.SUBRULE(this.options)) ?? [];
    return { setting: "optimizer", name, options };
  });

  readonly evaluate = this.RULE("evaluate", (): SettingForm => {
    this.CONSUME(T.Evaluate);
    this.CONSUME(T.Every);
    const every = this.SUBRULE(this.expression);
    const share = this.OPTION(() => {
      this.CONSUME(T.On);
      return this.SUBRULE2(this.expression);
    });
    return { setting: "evaluate", every, ...(share === undefined ? {} : { share }) };
  });

  readonly checkpoint = this.RULE("checkpoint", (): SettingForm => {
    this.CONSUME(T.Checkpoint);
    this.CONSUME(T.Every);
    const every = this.SUBRULE(this.expression);
    return { setting: "checkpoint", every };
  });

  readonly stop = this.RULE("stop", (): SettingForm => {
    this.CONSUME(T.Stop);
    this.CONSUME(T.After);
    const after = this.SUBRULE(this.expression);
    return { setting: "stop", after };
  });

  readonly freeze = this.RULE("freeze", (): SettingForm => {
    this.CONSUME(T.Freeze);
    const pattern = this.SUBRULE(this.expression);
    return { setting: "freeze", pattern };
  });

  readonly rates = this.RULE("rates", (): SettingForm => {
    this.CONSUME(T.Rate);
    const pattern = this.SUBRULE(this.expression);
    this.CONSUME(T.Equals);
    const factor = this.SUBRULE2(this.expression);
    return { setting: "rate", pattern, factor };
  });

  readonly number = this.RULE("number", (): SettingForm => {
    const word = this.OR(
      [T.Steps, T.Accumulate, T.Clip, T.Seed].map((type) => ({ ALT: () => this.CONSUME(type) })),
    );
    const value = this.SUBRULE(this.expression);
    return { setting: word.image as "steps" | "accumulate" | "clip" | "seed", value };
  });

  /** `model Small { experts = 8 }` */
  readonly trained = this.RULE("trained", (): SettingForm => {
    this.CONSUME(T.Model);
    const name = this.nameOf(this.CONSUME(T.Name));
    const options: readonly Argument[] = this.OPTION(() => this.SUBRULE(this.options)) ?? [];
    return { setting: "model", name, options };
  });

  /** `start from "runs/teacher" { "teacher.*" = "*" }`, `start from a = "runs/a", b = "runs/b" { ... }`, `start { ... }` */
  readonly begin = this.RULE("begin", (): SettingForm => {
    const sources: StartSource[] = [];
    const rules: StartRule[] = [];
    this.CONSUME(T.Start);
    this.OPTION(() => {
      this.CONSUME(T.From);
      this.AT_LEAST_ONE_SEP({ SEP: T.Comma, DEF: () => void sources.push(this.SUBRULE(this.source)) });
    });
    this.OPTION2(() => {
      this.CONSUME(T.LBrace);
      this.MANY(() => {
        this.OR([
          { ALT: () => void this.CONSUME(T.Newline) },
          {
            ALT: () => {
              const rule = this.SUBRULE(this.startRule);
              if (rule !== undefined) rules.push(rule);
            },
          },
        ]);
      });
      this.CONSUME(T.RBrace);
    });
    return { setting: "start", sources, rules };
  });

  /** `"runs/teacher"`, `law = "runs/law"` */
  readonly source = this.RULE("source", (): StartSource => {
    const start = this.start();
    const name = this.OPTION({
      GATE: () => this.LA(2).tokenType === T.Equals,
      DEF: () => {
        const token = this.CONSUME(T.Name);
        this.CONSUME(T.Equals);
        return this.nameOf(token);
      },
    });
    const path = this.within({ noOptions: true, noBy: false }, () => this.SUBRULE(this.expression));
    return { ...(name === undefined ? {} : { name }), path, span: this.from(start) };
  });

  /** `"*.experts.*" = copy("*.ffn.*", noise = 0.01)` */
  readonly startRule = this.RULE("startRule", (): StartRule | undefined => {
    const start = this.start();
    return this.guarded<StartRule | undefined>(
      () => {
        const token = this.CONSUME(T.StringLiteral);
        this.CONSUME(T.Equals);
        const value = this.SUBRULE(this.expression);
        this.ACTION(() => this.expectEnd());
        const target = { node: "string" as const, value: stringValue(token), span: spanOf(token) };
        return { target, value, span: this.from(start) };
      },
      () => undefined,
    );
  });

  /** `phase grown { steps 400 }` */
  readonly phase = this.RULE("phase", (): SettingForm => {
    const word = this.CONSUME(T.Phase);
    let name: Name = { text: "", span: spanOf(word) };
    this.guardedHeader(() => {
      name = this.nameOf(this.CONSUME(T.Name));
      this.ACTION(() => this.expectBody("phase"));
    });
    const settings = this.nested(() => this.SUBRULE(this.settings));
    return { setting: "phase", name, settings };
  });
}
