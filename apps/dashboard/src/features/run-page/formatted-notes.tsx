import { type ComponentProps, createContext, type ReactNode, useContext } from 'react';
import Markdown, { type Components } from 'react-markdown';
import remarkBreaks from 'remark-breaks';
import remarkGfm from 'remark-gfm';
import { isWeb } from './note-links.ts';

/** Some texts take a time that grows with the square of their length. */
const MAX_FORMATTED = 20_000;
/** Deeper nesting is no note that a person reads, and more than a browser can lay out. */
const MAX_DEPTH = 100;
/** A line that opens so many quotes and lists within one another: detected first, since to parse it takes seconds. */
const DEEP_LINE = /^[ \t]*(?:>[ \t]*|[*+-][ \t]+|\d+[.)][ \t]+){50}/m;

/**
 * Markdown as GitHub has it, one line below another as they are written. No HTML, which stands there as text; links lead
 * to the web; what would be an image is a link to it, so that no other host learns who reads. Null where a text is better
 * shown as it is.
 */
export function formatNotes(notes: string): ReactNode | null {
  if (notes.length > MAX_FORMATTED || DEEP_LINE.test(notes)) return null;
  try {
    // Called, and not rendered, so that what it cannot bear is caught here: emphasis that is nested until it exhausts the stack.
    return Markdown({
      children: notes,
      remarkPlugins: [remarkGfm, remarkBreaks],
      rehypePlugins: [() => refuseDeep],
      components: COMPONENTS,
      urlTransform: (url) => (isWeb(url) ? url : undefined),
    });
  } catch {
    return null;
  }
}

const COMPONENTS: Components = {
  // The page has its own headings above these.
  h1: 'h3',
  h2: 'h4',
  h3: 'h5',
  h4: 'h6',
  h5: 'h6',
  a: WebLink,
  img: ImageLink,
  input: ({ checked }) => (
    <span role="img" aria-label={checked ? 'done' : 'to do'}>
      {checked ? '☑' : '☐'}
    </span>
  ),
};

const IsInLink = createContext(false);

function WebLink({ href, children, id, ...rest }: ComponentProps<'a'>) {
  if (!href) return <span>{children}</span>;
  const where = href.startsWith('#') ? {} : { target: '_blank', rel: 'noopener noreferrer' };
  return (
    <a href={href} id={id} aria-label={rest['aria-label']} {...where}>
      <IsInLink value={true}>{children}</IsInLink>
    </a>
  );
}

function ImageLink({ src, alt }: ComponentProps<'img'>) {
  const words = alt || 'image';
  if (useContext(IsInLink) || typeof src !== 'string') return words;
  return <WebLink href={src}>{words}</WebLink>;
}

interface Nested {
  children?: readonly Nested[];
}

function refuseDeep(tree: Nested): void {
  let level: readonly Nested[] = [tree];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) throw new Error('the notes are nested too deep');
    level = level.flatMap(({ children }) => children ?? []);
  }
}
