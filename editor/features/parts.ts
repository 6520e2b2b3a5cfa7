// Parts: the expressions directly inside a statement, a choice or a setting. In: Syntax. Out: expressions in the order of the text.

import type { Choice, Expression, Setting, Statement } from "../../grammar/syntax.ts";

const there = (...list: readonly (Expression | undefined)[]): readonly Expression[] =>
  list.filter((each) => each !== undefined);

export function partsOfChoice(choice: Choice): readonly Expression[] {
  switch (choice.form) {
    case "top":
    case "tokens":
      return [choice.count, choice.score];
    case "each":
      return [choice.count, choice.score, choice.groups];
    case "best":
      return there(choice.count, choice.score, choice.best, choice.groups, choice.by.top, choice.by.score);
    case "until":
      return there(choice.summed, choice.threshold, choice.by, choice.most);
    case "where":
      return there(choice.condition, choice.most, choice.by);
    case "all":
      return [];
    case "given":
      return [choice.route];
    default:
      return choice satisfies never;
  }
}

/** Of a setting without the source of data and the names of options, which are no expressions of the language's names. */
export function partsOfSetting(setting: Setting): readonly Expression[] {
  switch (setting.setting) {
    case "data":
    case "freeze":
    case "start":
      return [];
    case "phase":
      return setting.settings.flatMap(partsOfSetting);
    case "optimizer":
    case "model":
      return setting.options.map(({ value }) => value);
    case "batch":
      return there(setting.size, setting.length);
    case "evaluate":
      return there(setting.every, setting.share);
    case "checkpoint":
      return [setting.every];
    case "stop":
      return [setting.after];
    case "rate":
      return [setting.factor];
    case "steps":
    case "accumulate":
    case "clip":
    case "seed":
      return [setting.value];
    default:
      return setting satisfies never;
  }
}

/** Statements inside it have their own. */
export function partsOfStatement(statement: Statement): readonly Expression[] {
  switch (statement.node) {
    case "dim":
    case "modality":
    case "bind":
    case "weight":
    case "loss":
    case "metric":
    case "result":
      return [statement.value];
    case "capacity":
      return there(statement.value, statement.groups, statement.of);
    case "param":
    case "state":
      return there(...statement.type.axes, statement.init);
    case "choose":
      return there(...partsOfChoice(statement.choice), statement.only);
    case "shared":
    case "routed":
      return there(statement.pool, statement.weight);
    case "null":
      return there(statement.count);
    case "router":
      return [statement.router];
    case "repeat":
      return [statement.count];
    case "if":
      return [statement.condition];
    case "after":
      return [];
    default:
      return statement satisfies never;
  }
}
