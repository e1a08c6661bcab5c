import { renderToStaticMarkup } from 'react-dom/server';
import { describe, expect, it } from 'vitest';
import { formatNotes } from './formatted-notes.tsx';

/** As HTML; null where the text is to be shown as it is. */
function html(notes: string): string | null {
  const formatted = formatNotes(notes);
  return formatted === null ? null : renderToStaticMarkup(formatted);
}

describe('notes', () => {
  it('are Markdown, with tables, tasks and lines as they are written', () => {
    expect(html('# Why\n\n*first*\nsecond')).toBe('<h3>Why</h3>\n<p><em>first</em><br/>\nsecond</p>');
    expect(html('| a |\n|---|\n| 1 |')).toContain('<td>1</td>');
    expect(html('- [x] warm-up\n- [ ] decay')).toMatch(/aria-label="done".*warm-up.*aria-label="to do".*decay/s);
  });

  it.each([
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    'a <b onclick="x()">b</b>',
    '<iframe src="https://x.org"></iframe>',
  ])('hold no HTML, which stands there as text: %s', (notes) => {
    const tags = html(notes)?.match(/<[^>]+>/g);
    expect(new Set(tags)).toEqual(new Set(tags?.filter((tag) => tag === '<p>' || tag === '</p>')));
    expect(html(notes)).toContain('&lt;');
  });

  it('lead to the web in a tab of its own, which learns nothing of this page', () => {
    const link = '<a href="https://x.org/a" target="_blank" rel="noopener noreferrer">';
    expect(html('[there](https://x.org/a)')).toBe(`<p>${link}there</a></p>`);
    expect(html('https://x.org/a')).toBe(`<p>${link}https://x.org/a</a></p>`);
    expect(html('[run](/runs/7)')).toContain('href="/runs/7"');
  });

  it.each([
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)',
    'javascript&colon;alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'mailto:a@x.org',
    'file:///etc',
  ])('lead nowhere else: %s', (address) => {
    expect(html(`[there](<${address}>)`)).toBe('<p><span>there</span></p>');
    expect(html(`![there](<${address}>)`)).not.toContain(':');
  });

  it('load no image: it is a link, or its words where it stands in one', () => {
    const image = '![a curve](https://x.org/c.png)';
    expect(html(image)).toMatch(/^<p><a href="https:\/\/x\.org\/c\.png"[^>]*>a curve<\/a><\/p>$/);
    expect(html(`[${image}](https://x.org/)`)).toMatch(/^<p><a href="https:\/\/x\.org\/"[^>]*>a curve<\/a><\/p>$/);
    expect(html('![](https://x.org/c.png)')).toContain('>image<');
  });

  it.each([
    ['too long', 'word '.repeat(4_001)],
    ['quotes of quotes', `a\n${'> '.repeat(200)}b`],
    ['lists of lists', '- + 1. '.repeat(2_000)],
    ['nested too deep', '*a '.repeat(300) + 'a* '.repeat(300)],
  ])('are shown as they are where they are %s', (_how, notes) => {
    expect(formatNotes(notes)).toBeNull();
  });
});
