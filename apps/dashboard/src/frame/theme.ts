import { Button, createTheme, Modal } from '@mantine/core';

export const theme = createTheme({
  primaryColor: 'keel',
  primaryShade: 8, // dark enough for white text, in both schemes
  defaultRadius: 'sm',
  respectReducedMotion: true,
  cursorType: 'pointer',
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace',
  components: {
    Button: Button.extend({ defaultProps: { fw: 500 } }),
    Modal: Modal.extend({ defaultProps: { closeButtonProps: { 'aria-label': 'Close' } } }),
  },
  black: '#1b2126',
  colors: {
    dark: [
      '#dfe4e8',
      '#b4bec6',
      '#97a2ab',
      '#5c666f',
      '#3a434a',
      '#2a3137',
      '#1f262b',
      '#191e22',
      '#14181b',
      '#0e1113',
    ],
    keel: [
      '#e6f4fa',
      '#cfe7f2',
      '#a3d0e6',
      '#74b8d9',
      '#56a9d0',
      '#3996c2',
      '#2787b6',
      '#11719d',
      '#005f8a',
      '#004a6c',
    ],
  },
});
