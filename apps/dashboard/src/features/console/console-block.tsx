'use client';

import { Fragment, type MouseEvent, memo } from 'react';
import { formatCount, formatInstant } from '../../components/format.ts';
import type { ConsoleRow } from '../../trpc/client.tsx';
import { ansiParts } from './ansi.ts';
import classes from './console.module.css';
import { type Block, isSameBlock, keyOf } from './console-lines.ts';

interface Props {
  block: Block;
  /** The line of the address. */
  linked: string | null;
  /** Lines that were found. */
  marked: ReadonlySet<string>;
  /** The address of a line by its key. */
  hrefOf: (key: string) => string;
  /** Its number was clicked. Always the same function. */
  onLink: (key: string, event: MouseEvent) => void;
}

/** Lines that follow each other; drawn again only where one of them has changed, or is marked or linked. */
export const ConsoleBlock = memo(function ConsoleBlock({ block, linked, marked, hrefOf, onLink }: Props) {
  return (
    <div className={classes.block} style={{ containIntrinsicBlockSize: `auto ${block.lines.length * 18}px` }}>
      {block.heading && <p className={classes.heading}>{block.heading}</p>}
      {block.lines.map((line) => {
        const key = keyOf(line);
        return (
          <Line
            key={key}
            line={line}
            name={key}
            href={hrefOf(key)}
            isLinked={key === linked}
            isMarked={marked.has(key)}
            onLink={onLink}
          />
        );
      })}
    </div>
  );
}, isSame);

function isSame(former: Props, next: Props): boolean {
  if (!isSameBlock(former.block, next.block) || former.hrefOf !== next.hrefOf) return false;
  if (former.linked === next.linked && former.marked === next.marked) return true;
  return next.block.lines.every((line) => {
    const key = keyOf(line);
    const isLinkedAlike = (former.linked === key) === (next.linked === key);
    return isLinkedAlike && former.marked.has(key) === next.marked.has(key);
  });
}

interface LineProps extends Pick<Props, 'onLink'> {
  line: ConsoleRow;
  /** Its key. */
  name: string;
  href: string;
  isLinked: boolean;
  isMarked: boolean;
}

function Line({ line: { line, time, stream, text, cut }, name, href, isLinked, isMarked, onLink }: LineProps) {
  return (
    <div
      className={classes.line}
      data-line={name}
      data-stream={stream}
      data-marked={isMarked || undefined}
      aria-current={isLinked || undefined}
    >
      <a
        href={href}
        onClick={(event) => onLink(name, event)}
        aria-label={`Line ${line + 1}`}
        title={`${stream}, ${formatInstant(new Date(time))}`}
        tabIndex={-1} // hundreds of them: the keyboard reaches a line through the search
      >
        {line + 1}
      </a>
      <code>
        {ansiParts(text).map((part, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: parts have no other name, and no state
          <Fragment key={at}>
            {part.color || part.decorations ? (
              <span data-color={part.color ?? undefined} data-style={part.decorations || undefined}>
                {part.text}
              </span>
            ) : (
              part.text
            )}
          </Fragment>
        ))}
        {cut > 0 && <em> … {formatCount(cut)} characters cut</em>}
      </code>
    </div>
  );
}
